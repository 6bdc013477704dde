package edxml

import "tram/exchange"

// Rules of the document's shape.
var (
	ruleNotEdXML = exchange.Rule{Name: "not-edxml", Code: exchange.Malformed,
		En: "the root element is %q, expected \"edXML\" in the namespace " + Namespace + "; send an edXML document",
		Vi: "phần tử gốc là %q, phải là \"edXML\" trong không gian tên " + Namespace + "; hãy gửi đúng tệp edXML"}
	ruleNamespace = exchange.Rule{Name: "wrong-namespace", Code: exchange.Malformed,
		En: "the element %s is in the namespace %q, expected " + Namespace + "; declare that namespace on the root and on the envelope",
		Vi: "phần tử %s thuộc không gian tên %q, phải là " + Namespace + "; hãy khai báo không gian tên này ở phần tử gốc và ở edXMLEnvelope"}
	ruleEnvelopeRoot = exchange.Rule{Name: "envelope-as-root", Code: exchange.Malformed,
		En: "the root element is the envelope %q; put it inside a root element edXML",
		Vi: "phần tử gốc là %q, vốn chỉ là phần phong bì; hãy đặt phần tử này vào trong phần tử gốc edXML"}
	ruleElementName = exchange.Rule{Name: "element-name", Code: exchange.Malformed,
		En: "there is an element %s where %s is expected; element names are case-sensitive, rename it",
		Vi: "có phần tử %s ở chỗ phải là %s; tên phần tử phân biệt chữ hoa và chữ thường, hãy sửa lại tên"}
	ruleMissing = exchange.Rule{Name: "missing-element", Code: exchange.Malformed,
		En: "%s is missing or empty, expected for example %s; add it",
		Vi: "thiếu hoặc để trống %s, ví dụ giá trị đúng: %s; hãy bổ sung"}
	ruleAmbiguous = exchange.Rule{Name: "repeated-element", Code: exchange.Malformed,
		En: "%s may stand once and stands again here, first on line %d; receivers would take one or the other, keep one",
		Vi: "%s chỉ được có một lần nhưng lặp lại ở đây, lần đầu ở dòng %d; các phần mềm nhận có thể lấy giá trị khác nhau, hãy chỉ giữ một"}
	ruleTextElements = exchange.Rule{Name: "element-in-text", Code: exchange.Malformed,
		En: "%s holds the element %s, expected text only; remove the element",
		Vi: "%s chứa phần tử con %s trong khi chỉ được chứa chữ; hãy bỏ phần tử con"}
	ruleAttachmentPlace = exchange.Rule{Name: "attachment-place", Code: exchange.Malformed,
		En: "attachments stand in /edXML/AttachmentEncoded/Attachment, beside the envelope; receivers do not see this one, move it there",
		Vi: "tệp đính kèm phải nằm trong /edXML/AttachmentEncoded/Attachment, ngang hàng với edXMLEnvelope; phần mềm nhận không đọc tệp ở chỗ này, hãy chuyển tệp về đúng chỗ"}
	ruleStatusElement = exchange.Rule{Name: "status-element", Code: exchange.Malformed,
		En: "a status is written in the element MessageHeader, not in %s, which crashes receivers; rename it",
		Vi: "gói tin trạng thái phải dùng phần tử MessageHeader, không dùng %s vì phần mềm nhận sẽ bị lỗi; hãy đổi lại tên"}
	ruleMixedKinds = exchange.Rule{Name: "status-with-trace", Code: exchange.Malformed,
		En: "the package has a StatusCode, as a status, and a TraceHeaderList, as a document; remove the one that does not belong",
		Vi: "gói tin vừa có StatusCode của gói tin trạng thái vừa có TraceHeaderList của văn bản; hãy bỏ phần không đúng"}
	ruleReport = exchange.Rule{Name: "unsupported-report", Code: exchange.Malformed,
		En: "this is a malware report (AVReport), not a document, expected an edXMLManifest; send the report to its own service",
		Vi: "đây là báo cáo mã độc (AVReport), không phải văn bản, edXMLBody phải chứa edXMLManifest; hãy gửi báo cáo tới hệ thống giám sát tương ứng"}
)

// Rules of fields.
var (
	ruleCode = exchange.Rule{Name: "agency-code", Code: exchange.Malformed,
		En: "%q is not an agency code, expected for example H12.07, or 000.00.07.H12 in the old form; look the code up in the directory",
		Vi: "%q không phải mã định danh cơ quan, mã đúng có dạng như H12.07, hoặc dạng cũ 000.00.07.H12; hãy tra mã trong danh bạ cơ quan"}
	ruleIDLength = exchange.Rule{Name: "document-id-length", Code: exchange.Malformed,
		En: "the document identifier has %d characters, expected %d at most; shorten it",
		Vi: "mã định danh văn bản dài %d ký tự, tối đa là %d; hãy rút ngắn lại"}
	ruleIDCharacters = exchange.Rule{Name: "document-id-characters", Code: exchange.Malformed,
		En: "the document identifier %q has line breaks or control characters in it, expected for example H12.07,2026/11/20,1250/STC-NS; remove them",
		Vi: "mã định danh văn bản %q có ký tự xuống dòng hoặc ký tự điều khiển, mã đúng có dạng như H12.07,2026/11/20,1250/STC-NS; hãy bỏ các ký tự đó"}
	ruleFieldLength = exchange.Rule{Name: "field-length", Code: exchange.TooLarge,
		En: "%s has %d characters, expected %d at most; shorten it, or put the text into an attachment",
		Vi: "%s dài %d ký tự, tối đa là %d; hãy rút ngắn lại, hoặc đưa nội dung vào tệp đính kèm"}
	ruleDate = exchange.Rule{Name: "date-form", Code: exchange.Malformed,
		En: "%q is not a date as yyyy/MM/dd, expected for example 2026/11/20; receivers silently misread other forms, write it so",
		Vi: "%q không phải ngày dạng yyyy/MM/dd, ví dụ giá trị đúng: 2026/11/20; phần mềm nhận sẽ hiểu sai dạng khác mà không báo lỗi, hãy ghi đúng dạng này"}
	rulePriority = exchange.Rule{Name: "priority", Code: exchange.Malformed,
		En: "the priority is %q, expected 0 (normal), 1 (urgent), 2 (very urgent), 3 (express) or 4 (express at a set hour); write one of these digits",
		Vi: "mức độ khẩn là %q, phải là 0 (thường), 1 (khẩn), 2 (thượng khẩn), 3 (hỏa tốc) hoặc 4 (hỏa tốc hẹn giờ); hãy ghi một trong các chữ số này"}
	ruleBusiness = exchange.Rule{Name: "business-type", Code: exchange.Malformed,
		En: "BussinessDocType is %q, expected 0 (new), 1 (recall), 2 (update) or 3 (replacement); write one of these digits",
		Vi: "BussinessDocType là %q, phải là 0 (văn bản mới), 1 (thu hồi), 2 (cập nhật) hoặc 3 (thay thế); hãy ghi một trong các chữ số này"}
	ruleReceiverType = exchange.Rule{Name: "receiver-type", Code: exchange.Malformed,
		En: "ReceiverType is %q, expected 1 (added) or 0 (removed); write one of these digits",
		Vi: "ReceiverType là %q, phải là 1 (thêm) hoặc 0 (bớt); hãy ghi một trong hai chữ số này"}
	ruleReceiverTwice = exchange.Rule{Name: "receiver-added-and-removed", Code: exchange.Malformed,
		En: "%q is both added and removed in ReceiverList, expected one of the two; keep one",
		Vi: "%q vừa được thêm vừa bị bớt trong ReceiverList; hãy chỉ giữ một trong hai"}
	ruleStatusCode = exchange.Rule{Name: "status-code", Code: exchange.Malformed,
		En: "the status code %q is not defined, expected 01 to 06, 13, 15 or 16; write one of these",
		Vi: "mã trạng thái %q không có trong quy định, phải là 01 đến 06, 13, 15 hoặc 16; hãy ghi một trong các mã này"}
)

// Rules of attachments.
var (
	ruleBase64Character = exchange.Rule{Name: "base64-character", Code: exchange.Malformed,
		En: "the content has the byte %q at base64 character %d, expected A-Z a-z 0-9 + / only; encode the file with standard base64",
		Vi: "nội dung có byte %q tại ký tự base64 thứ %d, trong khi chỉ được dùng A-Z a-z 0-9 + /; hãy mã hóa lại tệp bằng base64 chuẩn"}
	ruleBase64Padding = exchange.Rule{Name: "base64-padding", Code: exchange.Malformed,
		En: "the base64 content has \"=\" at character %d, expected one or two at the very end only; encode the file as one piece",
		Vi: "nội dung base64 có dấu \"=\" tại ký tự thứ %d, chỉ được có một hoặc hai dấu ở cuối cùng; hãy mã hóa cả tệp thành một khối"}
	ruleBase64Length = exchange.Rule{Name: "base64-cut-off", Code: exchange.Malformed,
		En: "the base64 content has %d characters, expected a multiple of four; it was cut off or lacks its padding, encode the file again",
		Vi: "nội dung base64 có %d ký tự, phải là bội số của bốn; nội dung bị cắt cụt hoặc thiếu dấu \"=\", hãy mã hóa lại tệp"}
	ruleBase64Bits = exchange.Rule{Name: "base64-bits", Code: exchange.Malformed,
		En: "the last base64 group is %q, expected %q; left-over bits must be zero, encode the file again",
		Vi: "nhóm base64 cuối là %q, phải là %q; các bit thừa phải bằng 0, hãy mã hóa lại tệp"}
	ruleContentID = exchange.Rule{Name: "content-id-repeated", Code: exchange.Malformed,
		En: "the ContentId %q was used by an attachment before, on line %d; give each attachment its own",
		Vi: "ContentId %q đã được tệp đính kèm khác dùng ở dòng %d; hãy cấp ContentId riêng cho từng tệp"}
	ruleTooMany = exchange.Rule{Name: "too-many-attachments", Code: exchange.TooLarge,
		En: "the package has %d attachments, expected %d at most; send fewer",
		Vi: "gói tin có %d tệp đính kèm, tối đa là %d; hãy gửi ít tệp hơn"}
	ruleTooLarge = exchange.Rule{Name: "attachments-too-large", Code: exchange.TooLarge,
		En: "the attachments unpack to more than %d bytes in all; send smaller ones",
		Vi: "tổng dung lượng tệp đính kèm sau khi giải nén vượt quá %d byte; hãy gửi tệp nhỏ hơn"}
	ruleName = exchange.Rule{Name: "attachment-name", Code: exchange.Harmful,
		En: "the attachment's name %q is not a plain file name: receivers save the file under it; expected at most 255 characters without / \\ :, control or invisible characters, not a device's name, no dot or space at its end; rename the file",
		Vi: "tên tệp đính kèm %q không phải tên tệp thông thường, trong khi phần mềm nhận sẽ lưu tệp theo tên này; hãy đổi tên tệp, tối đa 255 ký tự, không chứa / \\ : hoặc ký tự điều khiển, ký tự ẩn, không trùng tên thiết bị, không kết thúc bằng dấu chấm hay dấu cách"}
	ruleProgram = exchange.Rule{Name: "attachment-program", Code: exchange.Harmful,
		En: "the attachment %q is a program, expected a document; receivers would run it when they open it, send the document itself",
		Vi: "tệp đính kèm %q là chương trình chứ không phải văn bản; cơ quan nhận mở tệp là chạy chương trình, hãy gửi đúng tệp văn bản"}
	ruleType = exchange.Rule{Name: "attachment-type", Code: exchange.Malformed,
		En: "the attachment %q has content of the type %s, which does not go with its name; give it the right extension, or attach the right file",
		Vi: "tệp đính kèm %q có nội dung kiểu %s, không khớp với tên tệp; hãy sửa phần mở rộng, hoặc đính kèm đúng tệp"}
)

// Rules of a file wrapped in a ZIP. Receivers fail on the whole package, again
// and again, when they cannot unwrap one, or are hurt when they can.
var (
	ruleWrapping = exchange.Rule{Name: "attachment-names-zip", Code: exchange.Harmful,
		En: "the manifest names the attachment %q and the attachment itself %q: by one name receivers unwrap the ZIP, by the other they do not; write the same name in both",
		Vi: "edXMLManifest ghi tên tệp là %q còn chính tệp đính kèm ghi %q: theo tên này phần mềm nhận sẽ giải nén ZIP, theo tên kia thì không; hãy ghi cùng một tên ở cả hai nơi"}
	ruleZipNot = exchange.Rule{Name: "zip-not", Code: exchange.Harmful,
		En: "%q is declared as application/zip and is no ZIP, expected the file wrapped in a ZIP; wrap it, or declare its real ContentType",
		Vi: "%q khai báo là application/zip nhưng nội dung không phải ZIP, tệp phải được nén trong một ZIP; hãy nén tệp, hoặc khai báo đúng ContentType"}
	ruleZipBroken = exchange.Rule{Name: "zip-broken", Code: exchange.Harmful,
		En: "the ZIP around %q is damaged or cut off at byte %d, expected a whole ZIP; pack the file again",
		Vi: "tệp ZIP chứa %q bị hỏng hoặc bị cắt cụt tại byte %d, phải là ZIP nguyên vẹn; hãy nén lại tệp"}
	ruleZipEntries = exchange.Rule{Name: "zip-entries", Code: exchange.Harmful,
		En: "the ZIP around %q has not exactly one entry; receivers take the first only, wrap one file, or send several as one attachment whose name ends in .zip",
		Vi: "tệp ZIP chứa %q phải có đúng một tệp bên trong vì phần mềm nhận chỉ lấy tệp đầu tiên; hãy nén một tệp, hoặc gửi nhiều tệp trong một tệp đính kèm có tên kết thúc bằng .zip"}
	ruleZipName = exchange.Rule{Name: "zip-entry-name", Code: exchange.Harmful,
		En: "the ZIP around %q has an entry named %q, which is not a plain file name in UTF-8; receivers write the file under it, pack the file again without any path",
		Vi: "tệp ZIP chứa %q có tệp bên trong tên là %q, không phải tên tệp thông thường bằng UTF-8, trong khi phần mềm nhận sẽ lưu tệp theo tên này; hãy nén lại tệp, không kèm đường dẫn"}
	ruleZipKind = exchange.Rule{Name: "zip-entry-kind", Code: exchange.Harmful,
		En: "the entry of the ZIP around %q is a link or a folder, expected a file; pack the file itself",
		Vi: "tệp ZIP chứa %q có liên kết hoặc thư mục bên trong, phải là tệp; hãy nén chính tệp đó"}
	ruleZipEncrypted = exchange.Rule{Name: "zip-encrypted", Code: exchange.Harmful,
		En: "the ZIP around %q is encrypted, expected one that opens without a password; pack the file again without one",
		Vi: "tệp ZIP chứa %q có đặt mật khẩu nên phần mềm nhận không mở được; hãy nén lại, không đặt mật khẩu"}
	ruleZipMethod = exchange.Rule{Name: "zip-method", Code: exchange.Harmful,
		En: "the ZIP around %q is packed with method %d, expected 8 (deflate), or 0 (stored) without data descriptor; pack the file again so",
		Vi: "tệp ZIP chứa %q nén bằng phương pháp %d; hãy nén lại bằng phương pháp 8 (deflate), hoặc 0 (stored) không kèm data descriptor"}
	ruleZip64 = exchange.Rule{Name: "zip-64", Code: exchange.Harmful,
		En: "the ZIP around %q is in the Zip64 form, which not all receivers read, expected a plain ZIP; pack the file again without Zip64",
		Vi: "tệp ZIP chứa %q có dạng Zip64 mà không phải phần mềm nhận nào cũng đọc được, phải là ZIP thường; hãy nén lại không dùng Zip64"}
	ruleZipMismatch = exchange.Rule{Name: "zip-mismatch", Code: exchange.Harmful,
		En: "the ZIP around %q contradicts itself in its %s, expected the same in the local header, the content and the directory; pack the file again",
		Vi: "tệp ZIP chứa %q mâu thuẫn về %s: phần đầu (local header), nội dung và thư mục trung tâm phải khớp nhau; hãy nén lại tệp"}
	ruleZipTrailing = exchange.Rule{Name: "zip-trailing-data", Code: exchange.Harmful,
		En: "the ZIP around %q has a comment or further bytes after its end, expected nothing there; pack the file again",
		Vi: "tệp ZIP chứa %q có chú thích hoặc dữ liệu thừa sau phần kết thúc; hãy nén lại tệp, không kèm chú thích"}
	ruleZipTooLarge = exchange.Rule{Name: "zip-too-large", Code: exchange.TooLarge,
		En: "the file in the ZIP around %q unpacks to more than %d bytes; send a smaller one",
		Vi: "tệp trong ZIP chứa %q khi giải nén vượt quá %d byte; hãy gửi tệp nhỏ hơn"}
)

// zipFields are the fields of a ZIP in Vietnamese; it is never written.
var zipFields = map[string]string{
	"name":              "tên tệp",
	"method":            "phương pháp nén",
	"flags":             "cờ (flags)",
	"offset":            "vị trí",
	"disk":              "số đĩa",
	"crc-32":            "mã kiểm tra CRC-32",
	"extra fields":      "trường mở rộng",
	"compressed size":   "dung lượng nén",
	"uncompressed size": "dung lượng gốc",
}

// Warnings: departures that are let pass. Their words take no arguments.
var (
	warnNotSignature = exchange.Rule{Name: "not-a-signature", Code: exchange.Malformed,
		En: "the Signature or DigitalSignature in the edXML namespace is not an XML signature, expected ds:Signature; the package counts as unsigned, sign it with XML-DSig",
		Vi: "phần tử Signature hoặc DigitalSignature trong không gian tên edXML không phải chữ ký số XML (ds:Signature) nên gói tin được coi là chưa ký số; hãy ký số theo XML-DSig"}
	warnStatus14 = exchange.Rule{Name: "status-14", Code: exchange.Malformed,
		En: "the status code 14 is not defined and was read as 15, agreement; write 15",
		Vi: "mã trạng thái 14 không có trong quy định và được hiểu là 15 (đồng ý); hãy ghi 15"}
	warnStatusDigits = exchange.Rule{Name: "status-digits", Code: exchange.Malformed,
		En: "the status code has one digit, expected two; write for example 01",
		Vi: "mã trạng thái chỉ có một chữ số; hãy ghi đủ hai chữ số, ví dụ 01"}
	warnReason = exchange.Rule{Name: "reason-missing", Code: exchange.Malformed,
		En: "a recall, an update, a replacement or a refusal gives its reason and this one does not; fill in BussinessDocReason or Description",
		Vi: "gói tin thu hồi, cập nhật, thay thế hoặc từ chối phải nêu lý do nhưng gói tin này chưa có; hãy ghi lý do vào BussinessDocReason hoặc Description"}
	warnTimestamp = exchange.Rule{Name: "timestamp-form", Code: exchange.Malformed,
		En: "the status's Timestamp is not as yyyy/MM/dd HH:mm:ss and was passed over; write for example 2026/11/20 09:48:12",
		Vi: "Timestamp của trạng thái không đúng dạng yyyy/MM/dd HH:mm:ss nên bị bỏ qua; hãy ghi đúng dạng, ví dụ 2026/11/20 09:48:12"}
	warnResponseDate = exchange.Rule{Name: "response-date-form", Code: exchange.Malformed,
		En: "the PromulgationDate in ResponseFor is not as yyyy/MM/dd and was passed over; write for example 2026/11/20",
		Vi: "PromulgationDate trong ResponseFor không đúng dạng yyyy/MM/dd nên bị bỏ qua; hãy ghi đúng dạng, ví dụ 2026/11/20"}
	warnReference = exchange.Rule{Name: "manifest-without-attachment", Code: exchange.Malformed,
		En: "the manifest names an attachment that is not in the package, expected one Attachment for each Reference; attach it or remove the Reference",
		Vi: "edXMLManifest nêu một tệp đính kèm không có trong gói tin; hãy đính kèm tệp đó, hoặc bỏ Reference tương ứng"}
	warnUnlisted = exchange.Rule{Name: "attachment-without-manifest", Code: exchange.Malformed,
		En: "an attachment is not named in the manifest, expected one Reference for each Attachment; add its Reference",
		Vi: "có tệp đính kèm không được nêu trong edXMLManifest; hãy bổ sung Reference cho tệp đó"}
	warnNames = exchange.Rule{Name: "manifest-name-differs", Code: exchange.Malformed,
		En: "the manifest gives an attachment another name than the attachment itself, whose name counts; write the same in both",
		Vi: "tên tệp trong edXMLManifest khác tên ghi tại tệp đính kèm, và tên tại tệp đính kèm được dùng; hãy ghi hai tên giống nhau"}
	warnSameName = exchange.Rule{Name: "attachment-name-repeated", Code: exchange.Malformed,
		En: "two attachments have the same name and receivers may overwrite one with the other; give each its own name",
		Vi: "hai tệp đính kèm trùng tên nên phần mềm nhận có thể ghi đè lên nhau; hãy đặt tên riêng cho từng tệp"}
	warnProgram = exchange.Rule{Name: "attachment-named-program", Code: exchange.Harmful,
		En: "an attachment has the name of a program or a script, which receivers run when they open it; send documents",
		Vi: "có tệp đính kèm mang tên chương trình hoặc tập lệnh, mở tệp là chạy chương trình; hãy chỉ gửi tệp văn bản"}
	warnType = exchange.Rule{Name: "attachment-type-differs", Code: exchange.Malformed,
		En: "an attachment's content is of another type than its name says; give it the right extension, or attach the right file",
		Vi: "nội dung một tệp đính kèm không đúng kiểu mà tên tệp thể hiện; hãy sửa phần mở rộng, hoặc đính kèm đúng tệp"}
	warnMacros = exchange.Rule{Name: "attachment-macros", Code: exchange.Malformed,
		En: "an attachment has macros, which can do harm when it is opened; save it without them",
		Vi: "có tệp đính kèm chứa macro, có thể gây hại khi mở; hãy lưu lại tệp không kèm macro"}
)

// Rules are all rules of the format, those that refuse and those that warn.
func Rules() []exchange.Rule {
	return append([]exchange.Rule{
		ruleNotEdXML, ruleNamespace, ruleEnvelopeRoot, ruleElementName, ruleMissing, ruleAmbiguous, ruleTextElements,
		ruleAttachmentPlace, ruleStatusElement, ruleMixedKinds, ruleReport,
		ruleCode, ruleIDLength, ruleIDCharacters, ruleFieldLength, ruleDate, rulePriority, ruleBusiness, ruleReceiverType,
		ruleReceiverTwice, ruleStatusCode,
		ruleBase64Character, ruleBase64Padding, ruleBase64Length, ruleBase64Bits, ruleContentID, ruleTooMany,
		ruleTooLarge, ruleName, ruleProgram, ruleType,
		ruleWrapping, ruleZipNot, ruleZipBroken, ruleZipEntries, ruleZipName, ruleZipKind, ruleZipEncrypted, ruleZipMethod,
		ruleZip64, ruleZipMismatch, ruleZipTrailing, ruleZipTooLarge,
	}, warningRules()...)
}

// warningRules are those that warn.
func warningRules() []exchange.Rule {
	return []exchange.Rule{warnNotSignature, warnStatus14, warnStatusDigits, warnReason, warnTimestamp, warnResponseDate,
		warnReference, warnUnlisted, warnNames, warnSameName,
		warnProgram, warnType, warnMacros}
}
