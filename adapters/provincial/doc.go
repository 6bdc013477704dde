// Package provincial is the REST protocol of provincial document hubs (after the
// guide of Lạng Sơn, version 2.2, 2026), over the same exchange as /v1.
//
// A system logs in with its identifier and secret, and gets a token for half an
// hour. Every later call carries three things: the token ("Authorization: Bearer"),
// X-SystemId and X-SecretKey. Tokens are stateless and signed (JWT, HS256), so that
// any node of a hub takes those of another.
//
// The calls, below the hub's address. Bodies are JSON where nothing else is said;
// members beyond these are let pass.
//
//	POST   /v1/auth/login             {username, password}; the one call without the three headers
//	                                  answer: data {token, tokenType, expiresIn, expiresAt}
//	POST   /v1/sendEdoc               the package: as the body, or as the field edocFile of a multipart form, where
//	                                  messageType (edoc or status) may stand before it
//	                                  answer: docId, data {docId, receipt, resent, warnings, recipients
//	                                  [{code, docId, success, errorCode, message}]}
//	GET    /v1/syncReceivedEdocList   ?messageType=edoc|status &fromDate= &toDate=, all optional
//	                                  answer: count, data [{docId, serviceType, messageType, createdTime, updatedTime,
//	                                  from, to, status, statusDesc}]; status is initial, processing, done or fail
//	GET    /v1/getEdoc                ?docId=
//	                                  answer: data {docId, messageType, from, fromName, edocCode, edocAbstract, edxml,
//	                                  attachments [{fileName, fileContent}]}; edxml and fileContent in base64
//	POST   /v1/updateStatus           {docId, status}; status is done or fail
//	                                  answer: data {docId, receipt}
//	GET    /v1/getAgenciesList        answer: [{orgCode, orgName, parentCode, address, email, phone}], nothing around it
//	POST   /v1/registerAgency         {orgCode}, or {code}; good for an agency that the system speaks for already
//	POST   /v1/deleteAgency           refused: it is for the hub's administrators
//	DELETE /v1/deleteAgency           the same
//
// Every other good answer begins {success: true, errorCode: 0, message}; a refusal is
// {success: false, errorCode, message, rule} with, where they are known, detail, path,
// line and receipt.
//
// A docId is exchange's: the sender's names the package, a recipient's its delivery.
// Sending the same package again, here or at /v1, returns the same docId. updateStatus
// "done" hands a delivery over on the authenticated system's word; "fail" is noted,
// and leaves it open. Lists without dates are of what is not done yet; lists with
// dates of all that came in them.
//
// Failures have an HTTP status (4xx: do not repeat it, 5xx: come again), the
// protocol's number and words in Vietnamese, with the English ones behind.
package provincial
