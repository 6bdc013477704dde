package signing

type ruleWords struct {
	kind   Kind
	en, vi string
}

// rules holds every rule's kind and words; it is never written.
var rules = map[Rule]ruleWords{
	Encoding: {
		Malformed,
		`The document is not in UTF-8. Save it as UTF-8, declare no other encoding, and sign it again.`,
		`Tài liệu XML không dùng bảng mã UTF-8. Hãy lưu lại bằng UTF-8, không khai báo bảng mã khác, rồi ký số lại.`,
	},
	XMLDeclaration: {
		Malformed,
		`The XML declaration is wrong. Write <?xml version="1.0" encoding="utf-8"?> at the very beginning, or leave it out.`,
		`Khai báo XML không đúng. Hãy ghi <?xml version="1.0" encoding="utf-8"?> ở ngay đầu tệp, hoặc bỏ khai báo này.`,
	},
	InvalidCharacter: {
		Malformed,
		`There is a character that XML does not allow, or bytes that are not UTF-8. Remove it from the data before the XML is written.`,
		`Có ký tự mà XML không cho phép, hoặc byte không đúng bảng mã UTF-8. Hãy loại ký tự đó khỏi dữ liệu trước khi tạo tài liệu XML.`,
	},
	BadMarkup: {
		Malformed,
		`The markup is not well-formed. Write the document with an XML library, not by joining text.`,
		`Tài liệu viết sai cú pháp XML. Hãy tạo tài liệu bằng thư viện XML, không ghép chuỗi.`,
	},
	InvalidName: {
		Malformed,
		`An element or attribute has a name that XML does not allow. Correct the name.`,
		`Tên phần tử hoặc thuộc tính không hợp lệ theo XML. Hãy sửa lại tên.`,
	},
	MismatchedTag: {
		Malformed,
		`An end tag does not belong to the element that is open. Close elements in the order in which they were opened.`,
		`Thẻ đóng không khớp với phần tử đang mở. Hãy đóng các phần tử theo đúng thứ tự đã mở.`,
	},
	DuplicateAttribute: {
		Malformed,
		`An element has the same attribute twice. Keep one of them.`,
		`Có phần tử mang hai thuộc tính trùng tên. Hãy chỉ giữ một thuộc tính.`,
	},
	UndeclaredPrefix: {
		Malformed,
		`A prefix is used without a namespace. Declare it with xmlns:prefix on the element or above it.`,
		`Có tiền tố chưa khai báo không gian tên. Hãy khai báo xmlns:tiền-tố tại phần tử đó hoặc phần tử cha.`,
	},
	NamespaceDeclaration: {
		Malformed,
		`A namespace declaration is not allowed: a prefix cannot be undeclared, and xml and xmlns cannot be redefined. Remove it.`,
		`Khai báo không gian tên không hợp lệ: không được hủy khai báo tiền tố, cũng không được định nghĩa lại xml và xmlns. Hãy bỏ khai báo này.`,
	},
	RelativeNamespace: {
		Malformed,
		`A namespace is not an absolute URI, or has characters in it that are canonicalised in different ways. Use a full URI, such as http://…, without spaces, &, % or accents.`,
		`Có không gian tên không phải URI tuyệt đối, hoặc có ký tự mà mỗi phần mềm chuẩn tắc hóa một cách. Hãy dùng URI đầy đủ, ví dụ http://…, không có dấu cách, &, % hay chữ có dấu.`,
	},
	InvalidReference: {
		Malformed,
		`An entity or character reference is unknown or means a character that XML does not allow. Use only &lt; &gt; &amp; &quot; &apos; or the number of an allowed character.`,
		`Có tham chiếu thực thể hoặc ký tự không xác định, hoặc chỉ đến ký tự XML không cho phép. Hãy chỉ dùng &lt; &gt; &amp; &quot; &apos; hoặc mã số của ký tự hợp lệ.`,
	},
	CDATAEndInText: {
		Malformed,
		`Text contains "]]>". Write the last character as &gt;.`,
		`Nội dung chứa chuỗi "]]>". Hãy viết ký tự cuối thành &gt;.`,
	},
	Comment: {
		Malformed,
		`The document contains a comment, which a signature does not cover. Remove comments before signing.`,
		`Tài liệu có chú thích XML, là phần mà chữ ký số không bảo vệ. Hãy bỏ chú thích trước khi ký số.`,
	},
	ProcessingInstruction: {
		Malformed,
		`The document contains a processing instruction. Remove it before signing.`,
		`Tài liệu có chỉ thị xử lý (processing instruction). Hãy bỏ chỉ thị này trước khi ký số.`,
	},
	TextOutsideRoot: {
		Malformed,
		`There is text before or after the root element. Send the XML document alone.`,
		`Có nội dung nằm trước hoặc sau phần tử gốc. Hãy chỉ gửi tài liệu XML, không kèm nội dung khác.`,
	},
	SecondRoot: {
		Malformed,
		`Another element follows the root element. Send one document at a time.`,
		`Có phần tử khác sau phần tử gốc. Hãy gửi mỗi lần một tài liệu.`,
	},
	Truncated: {
		Malformed,
		`The document ends before it is complete. Send it again, whole.`,
		`Tài liệu bị cắt cụt, chưa có phần cuối. Hãy gửi lại đầy đủ.`,
	},
	ElementInStreamedText: {
		Malformed,
		`There is an element where only text may be, such as in an attachment's content. Send the content as text only.`,
		`Có phần tử nằm ở chỗ chỉ được chứa chữ, ví dụ trong nội dung tệp đính kèm. Hãy chỉ để chữ ở đó.`,
	},
	DuplicateID: {
		Malformed,
		`Two elements have the same identifier. Give every element its own Id.`,
		`Có hai phần tử trùng định danh. Hãy đặt cho mỗi phần tử một Id riêng.`,
	},
	SecondSignature: {
		Malformed,
		`The document has more than one signature. Send it with exactly one.`,
		`Tài liệu có nhiều hơn một chữ ký số. Hãy gửi tài liệu chỉ có đúng một chữ ký số.`,
	},
	SignatureMisplaced: {
		Malformed,
		`The signature is not where the format has it. Put it last in the root element, or where the format says, and sign again.`,
		`Chữ ký số không nằm đúng vị trí. Hãy đặt chữ ký số ở cuối phần tử gốc, hoặc tại vị trí mà định dạng quy định, rồi ký số lại.`,
	},
	Doctype: {
		Harmful,
		`The document has a DOCTYPE, which can make a receiver read files or other data. Remove it and sign again.`,
		`Tài liệu có DOCTYPE, có thể khiến phần mềm nhận đọc tệp hoặc dữ liệu ngoài ý muốn. Hãy bỏ DOCTYPE rồi ký số lại.`,
	},
	DocumentTooLarge: {
		TooLarge,
		`The document is larger than allowed. Send fewer or smaller attachments.`,
		`Tài liệu vượt quá dung lượng cho phép. Hãy giảm số lượng hoặc dung lượng tệp đính kèm.`,
	},
	TooDeep: {
		TooLarge,
		`Elements are nested too deeply. Check the software that wrote the document.`,
		`Các phần tử lồng nhau quá sâu. Hãy kiểm tra phần mềm đã tạo tài liệu.`,
	},
	TooManyElements: {
		TooLarge,
		`The document has too many elements. Send large data as an attachment.`,
		`Tài liệu có quá nhiều phần tử. Hãy gửi dữ liệu lớn dưới dạng tệp đính kèm.`,
	},
	TooManyAttributes: {
		TooLarge,
		`An element has too many attributes. Check the software that wrote the document.`,
		`Có phần tử mang quá nhiều thuộc tính. Hãy kiểm tra phần mềm đã tạo tài liệu.`,
	},
	TooManyNamespaces: {
		TooLarge,
		`There are too many namespace declarations. Declare each namespace once, on the root element.`,
		`Có quá nhiều khai báo không gian tên. Hãy khai báo mỗi không gian tên một lần tại phần tử gốc.`,
	},
	TagTooLong: {
		TooLarge,
		`A tag is too long. Put long values into elements, not into attributes.`,
		`Có thẻ quá dài. Hãy đặt giá trị dài vào phần tử thay vì thuộc tính.`,
	},
	TooMuchText: {
		TooLarge,
		`The document has too much text outside of attachments. Send large data as an attachment.`,
		`Tài liệu có quá nhiều chữ ngoài tệp đính kèm. Hãy gửi dữ liệu lớn dưới dạng tệp đính kèm.`,
	},
	NameTooLong: {
		TooLarge,
		`An element, an attribute or a namespace has a name that is too long. Shorten it.`,
		`Tên phần tử, thuộc tính hoặc không gian tên quá dài. Hãy rút ngắn tên.`,
	},
	TooManyReferences: {
		TooLarge,
		`The signature has too many references. Sign the whole document with one reference.`,
		`Chữ ký số có quá nhiều tham chiếu. Hãy ký số toàn bộ tài liệu bằng một tham chiếu.`,
	},
	SignatureStructure: {
		InvalidSignature,
		`The signature contains something unexpected or lacks something required. Sign again with a standard XML signature library and without additions.`,
		`Chữ ký số có thành phần lạ hoặc thiếu thành phần bắt buộc. Hãy ký số lại bằng thư viện chữ ký số XML chuẩn, không thêm thành phần khác.`,
	},
	UnsignedObject: {
		InvalidSignature,
		`The signature contains an Object that it does not cover. Sign again without it.`,
		`Chữ ký số chứa một Object mà chính chữ ký số không bảo vệ. Hãy ký số lại, không kèm Object đó.`,
	},
	SignedProperties: {
		InvalidSignature,
		`The XAdES signed properties are incomplete or contradict the signature. Sign again with current XAdES software.`,
		`Thuộc tính ký XAdES không đầy đủ hoặc mâu thuẫn với chữ ký số. Hãy ký số lại bằng phần mềm ký XAdES phiên bản mới.`,
	},
	UnsignedProperties: {
		InvalidSignature,
		`The unsigned XAdES properties hold something else than time-stamps on the signature, or hold them in another form. Sign at level B-B, or at B-T with SignatureTimeStamp and exclusive canonicalization.`,
		`Thuộc tính XAdES không được ký có thành phần khác ngoài dấu thời gian trên chữ ký số, hoặc dấu thời gian viết theo dạng khác. Hãy ký số ở mức B-B, hoặc mức B-T với SignatureTimeStamp và phép chuẩn tắc hóa exclusive.`,
	},
	SigningCertificateMismatch: {
		InvalidSignature,
		`The XAdES properties name another certificate than the one in KeyInfo. Put the signing certificate first in KeyInfo and sign again.`,
		`Thuộc tính XAdES chỉ đến chứng thư số khác với chứng thư số trong KeyInfo. Hãy đặt chứng thư số dùng để ký đầu tiên trong KeyInfo rồi ký số lại.`,
	},
	CanonicalizationNotAllowed: {
		InvalidSignature,
		`The canonicalization method is not accepted. Use http://www.w3.org/2001/10/xml-exc-c14n#, or Canonical XML 1.0 or 1.1, and sign again.`,
		`Phương pháp chuẩn tắc hóa không được chấp nhận. Hãy dùng http://www.w3.org/2001/10/xml-exc-c14n#, hoặc Canonical XML 1.0 hay 1.1, rồi ký số lại.`,
	},
	InclusivePrefixes: {
		InvalidSignature,
		`The InclusiveNamespaces prefix list is not accepted. Sign again without one, or list only prefixes that are in use.`,
		`Danh sách tiền tố InclusiveNamespaces không được chấp nhận. Hãy ký số lại và bỏ danh sách này, hoặc chỉ liệt kê các tiền tố đang dùng.`,
	},
	AlgorithmNotAllowed: {
		InvalidSignature,
		`The signature or digest algorithm is not accepted. Use RSA (PKCS #1 or PSS), ECDSA or Ed25519, and digests of SHA-256, SHA-384 or SHA-512.`,
		`Thuật toán ký hoặc băm không được chấp nhận. Hãy dùng RSA (PKCS #1 hoặc PSS), ECDSA hay Ed25519, với hàm băm SHA-256, SHA-384 hoặc SHA-512.`,
	},
	SHA1: {
		InvalidSignature,
		`SHA-1 is no longer safe and is refused. Set the signing software to SHA-256 and sign again.`,
		`SHA-1 không còn an toàn nên bị từ chối. Hãy cấu hình phần mềm ký dùng SHA-256 rồi ký số lại.`,
	},
	HMAC: {
		InvalidSignature,
		`HMAC proves nothing to a third party and is refused. Sign with the key of a certificate.`,
		`HMAC không chứng minh được với bên thứ ba ai là người ký nên bị từ chối. Hãy ký số bằng khóa của chứng thư số.`,
	},
	TransformNotAllowed: {
		InvalidSignature,
		`The transforms must be exactly enveloped-signature and then one canonicalization; of an attachment none, or base64. Set them so and sign again.`,
		`Các phép biến đổi phải đúng là enveloped-signature rồi đến một phép chuẩn tắc hóa; với tệp đính kèm thì không có phép nào, hoặc là base64. Hãy cấu hình lại phần mềm ký số rồi ký số lại.`,
	},
	ReferenceNotAllowed: {
		InvalidSignature,
		`The signature does not cover the whole document, or refers to something else. Use one reference with URI="", and for attachments their ContentId.`,
		`Chữ ký số không bảo vệ toàn bộ tài liệu, hoặc tham chiếu đến thứ khác. Hãy dùng một tham chiếu với URI="", còn tệp đính kèm thì tham chiếu bằng ContentId.`,
	},
	SecondReading: {
		InvalidSignature,
		`The signature uses a canonical form, a digest or a reference to an attachment that takes a second reading, and here a document is read once. Sign the whole document with exclusive canonicalization and SHA-256.`,
		`Chữ ký số dùng dạng chuẩn tắc, hàm băm hoặc tham chiếu tệp đính kèm cần đọc tài liệu lần thứ hai, nhưng ở đây tài liệu chỉ được đọc một lần. Hãy ký số toàn bộ tài liệu bằng chuẩn tắc hóa exclusive và SHA-256.`,
	},
	ExtraReference: {
		InvalidSignature,
		`The signature has a further reference. Keep the one to the document, one to the XAdES signed properties if there are any, and one to each attachment.`,
		`Chữ ký số có thêm tham chiếu khác. Hãy chỉ giữ một tham chiếu đến tài liệu, một tham chiếu đến thuộc tính ký XAdES nếu có, và một tham chiếu đến mỗi tệp đính kèm.`,
	},
	SignatureBase64: {
		InvalidSignature,
		`A value in the signature is not proper base64 or has the wrong length. Sign again; do not edit the signature.`,
		`Một giá trị trong chữ ký số không phải base64 hợp lệ hoặc sai độ dài. Hãy ký số lại, không sửa chữ ký số.`,
	},
	KeyInfoMissing: {
		InvalidSignature,
		`The signature does not carry the signer's certificate. Add KeyInfo with X509Data and X509Certificate.`,
		`Chữ ký số không kèm chứng thư số của người ký. Hãy thêm KeyInfo có X509Data và X509Certificate.`,
	},
	KeyInfoNotAllowed: {
		InvalidSignature,
		`KeyInfo holds something that is not accepted. Keep X509Data with certificates alone.`,
		`KeyInfo chứa thành phần không được chấp nhận. Hãy chỉ giữ X509Data với chứng thư số.`,
	},
	CertificateMalformed: {
		InvalidSignature,
		`The certificate in KeyInfo cannot be read. Export it again from the token or key store and sign again.`,
		`Không đọc được chứng thư số trong KeyInfo. Hãy xuất lại chứng thư số từ thiết bị hoặc kho khóa rồi ký số lại.`,
	},
	WeakKey: {
		InvalidSignature,
		`The certificate's key is not accepted. Obtain a certificate with RSA of 2048 to 8192 bits (exponent 65537), ECDSA on P-256, P-384 or P-521, or Ed25519.`,
		`Khóa của chứng thư số không được chấp nhận. Hãy xin cấp chứng thư số với RSA từ 2048 đến 8192 bit (số mũ 65537), ECDSA trên P-256, P-384 hay P-521, hoặc Ed25519.`,
	},
	KeyMismatch: {
		InvalidSignature,
		`The certificate's key is of another type than the signature method. Put the signer's own certificate first in KeyInfo.`,
		`Loại khóa của chứng thư số không phù hợp với thuật toán ký. Hãy đặt chứng thư số của chính người ký đầu tiên trong KeyInfo.`,
	},
	DigestMismatch: {
		InvalidSignature,
		`The document was changed after it was signed. Send the very bytes that were signed, without reformatting.`,
		`Nội dung đã bị thay đổi sau khi ký số. Hãy gửi đúng nguyên bản đã ký số, không định dạng lại.`,
	},
	SignatureMismatch: {
		InvalidSignature,
		`The signature does not belong to this certificate, or the signature was changed. Check that the certificate is the signing key's and sign again.`,
		`Chữ ký số không khớp với chứng thư số, hoặc đã bị thay đổi. Hãy kiểm tra chứng thư số có đúng với khóa dùng để ký không, rồi ký số lại.`,
	},
	UntrustedChain: {
		Untrusted,
		`The certificate was not issued by an authority that is trusted here. Use a certificate of an accepted authority, or include the intermediate certificates.`,
		`Chứng thư số không do tổ chức chứng thực được tin cậy cấp. Hãy dùng chứng thư số của tổ chức chứng thực được chấp nhận, hoặc gửi kèm chứng thư số trung gian.`,
	},
	CertificateExpired: {
		Untrusted,
		`The certificate has expired. Renew it and sign again.`,
		`Chứng thư số đã hết hạn. Hãy gia hạn hoặc xin cấp mới rồi ký số lại.`,
	},
	CertificateNotYetValid: {
		Untrusted,
		`The certificate is not valid yet. Check the clock, or sign again from its first day.`,
		`Chứng thư số chưa có hiệu lực. Hãy kiểm tra đồng hồ, hoặc ký số lại từ ngày chứng thư số có hiệu lực.`,
	},
	KeyUsage: {
		Untrusted,
		`The certificate is not for signing documents. Use one with key usage digitalSignature or nonRepudiation.`,
		`Chứng thư số không dùng để ký số tài liệu. Hãy dùng chứng thư số có mục đích digitalSignature hoặc nonRepudiation.`,
	},
	CACertificate: {
		Untrusted,
		`The certificate is that of an authority, which must not sign documents. Sign with the certificate issued to the agency.`,
		`Chứng thư số là của tổ chức chứng thực, không được dùng để ký số tài liệu. Hãy ký số bằng chứng thư số cấp cho cơ quan.`,
	},
	CertificateConstraint: {
		Untrusted,
		`The certificate, or one above it, has a constraint or critical extension that does not allow this use. Ask the issuing authority for another.`,
		`Chứng thư số, hoặc chứng thư số cấp trên, có ràng buộc hoặc phần mở rộng bắt buộc không cho phép mục đích này. Hãy liên hệ tổ chức cấp để đổi chứng thư số.`,
	},
	TimeStampForm: {
		InvalidSignature,
		`The time-stamp is not a token as RFC 3161 has it. Get one from an authority whose tokens "openssl ts -verify" accepts.`,
		`Dấu thời gian không đúng dạng quy định trong RFC 3161. Hãy xin dấu thời gian của tổ chức mà lệnh "openssl ts -verify" kiểm tra được.`,
	},
	TimeStampRefused: {
		InvalidSignature,
		`The time-stamp authority gives no token. Ask the authority, or set the hub to another.`,
		`Tổ chức cấp dấu thời gian từ chối cấp. Hãy liên hệ tổ chức đó, hoặc cấu hình trục dùng tổ chức khác.`,
	},
	TimeStampNonce: {
		InvalidSignature,
		`The time-stamp does not answer this request: its nonce is another. Look for something between the hub and the authority that repeats old answers.`,
		`Dấu thời gian không trả lời đúng yêu cầu này vì số ngẫu nhiên (nonce) khác. Hãy kiểm tra xem giữa trục và tổ chức cấp dấu thời gian có phần mềm nào trả lại câu trả lời cũ không.`,
	},
	TimeStampPolicy: {
		InvalidSignature,
		`The time-stamp was made under another policy than was asked for. Correct the policy, or ask the authority.`,
		`Dấu thời gian được cấp theo chính sách khác với chính sách đã yêu cầu. Hãy sửa lại chính sách, hoặc liên hệ tổ chức cấp.`,
	},
	TimeStampImprint: {
		InvalidSignature,
		`The time-stamp is over something else than this signature. Have this signature time-stamped.`,
		`Dấu thời gian không phải của chữ ký số này. Hãy xin dấu thời gian cho chính chữ ký số này.`,
	},
	TimeStampAlgorithm: {
		InvalidSignature,
		`The time-stamp uses an algorithm that is not accepted. Use an authority with SHA-256, SHA-384 or SHA-512 in every place, and RSA, ECDSA or Ed25519.`,
		`Dấu thời gian dùng thuật toán không được chấp nhận. Hãy dùng tổ chức cấp dấu thời gian bằng SHA-256, SHA-384 hay SHA-512 ở mọi chỗ, với RSA, ECDSA hoặc Ed25519.`,
	},
	TimeStampSignature: {
		InvalidSignature,
		`The authority's signature on the time-stamp does not hold: the token was changed. Get another one.`,
		`Chữ ký số của tổ chức cấp trên dấu thời gian không đúng: dấu thời gian đã bị thay đổi. Hãy xin lại dấu thời gian.`,
	},
	TimeStampCertificate: {
		InvalidSignature,
		`The time-stamp is not bound to the certificate that signed it. Use an authority that sends its certificate and names it by SHA-256 or more.`,
		`Dấu thời gian không gắn với chứng thư số đã ký nó. Hãy dùng tổ chức gửi kèm chứng thư số và nêu chứng thư số bằng SHA-256 trở lên.`,
	},
	TimeStampPurpose: {
		InvalidSignature,
		`The certificate that signed the time-stamp is not for time-stamping, and for that alone. Use an authority with a certificate made for it.`,
		`Chứng thư số đã ký dấu thời gian không phải loại chỉ dùng để cấp dấu thời gian. Hãy dùng tổ chức có chứng thư số đúng mục đích này.`,
	},
	TimeStampUntrusted: {
		Untrusted,
		`The time-stamp authority's certificate did not count at the time that the time-stamp says. Add the root of the authority if it is to be trusted, or use another authority.`,
		`Chứng thư số của tổ chức cấp dấu thời gian không được tin cậy tại thời điểm ghi trên dấu thời gian. Hãy bổ sung chứng thư số gốc của tổ chức đó nếu được tin cậy, hoặc dùng tổ chức khác.`,
	},
}
