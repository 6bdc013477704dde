// Verifies and signs XML with xadesjs. Its modules are found through NODE_PATH.
//
//     node judge.cjs verify FILE...     prints "good" or "bad", the file and, when bad, why
//     node judge.cjs sign JOBS.json     a list of {in, key, cert, algorithm, hash, canonicalization, transform, xades, out}
//
// verify takes the key of the first certificate in KeyInfo; a signature must refer
// to the whole document to be good. xmldsigjs takes a signature out of a document
// only where it is a child of the root, so one that stands deeper is moved there
// first: without it the document is the same. sign puts the signature last into the
// root; key is PKCS #8 and cert a certificate, both in DER.
"use strict";
const fs = require("fs");
const { webcrypto, X509Certificate } = require("crypto");
const xmldom = require("@xmldom/xmldom");
const xpath = require("xpath");
const xades = require("xadesjs");
const xmldsig = require("xmldsigjs");
const { setNodeDependencies } = require("xml-core");

setNodeDependencies({ DOMParser: xmldom.DOMParser, XMLSerializer: xmldom.XMLSerializer, DOMImplementation: xmldom.DOMImplementation, xpath });
xades.Application.setEngine("node", webcrypto);
const ds = "http://www.w3.org/2000/09/xmldsig#";

function parse(file) {
  const refuse = (level, message) => { throw new Error(level + ": " + message); };
  return new xmldom.DOMParser({ onError: refuse }).parseFromString(fs.readFileSync(file, "utf8"), "application/xml");
}

// curves are WebCrypto's names for those of OpenSSL.
const curves = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };

// keyOf imports the certificate's key for the signature's own algorithm.
async function keyOf(certificate, signed) {
  const { publicKey } = new X509Certificate(Buffer.from(certificate.replace(/\s/g, ""), "base64"));
  const method = signed.XmlSignature.SignedInfo.SignatureMethod.Algorithm;
  const algorithm = publicKey.asymmetricKeyType === "ec"
    ? { name: "ECDSA", namedCurve: curves[publicKey.asymmetricKeyDetails.namedCurve] }
    : { name: /MGF1|rsa-pss/.test(method) ? "RSA-PSS" : "RSASSA-PKCS1-v1_5", hash: "SHA-" + (/sha(\d+)/.exec(method) || [0, 256])[1] };
  return webcrypto.subtle.importKey("spki", publicKey.export({ type: "spki", format: "der" }), algorithm, true, ["verify"]);
}

async function fault(file) {
  const doc = parse(file);
  const signatures = doc.getElementsByTagNameNS(ds, "Signature");
  if (signatures.length !== 1) {
    return signatures.length + " signatures";
  }
  doc.documentElement.appendChild(signatures[0]);
  const signed = new xades.SignedXml(doc);
  signed.LoadXml(signatures[0]);
  signed.Algorithm = undefined; // else it imports the key anew, without its curve
  const certificate = signatures[0].getElementsByTagNameNS(ds, "X509Certificate")[0];
  if (!certificate) {
    return "KeyInfo holds no certificate";
  }
  if (!await signed.Verify(await keyOf(certificate.textContent, signed))) {
    return "the signature does not verify";
  }
  const whole = signed.XmlSignature.SignedInfo.References.GetIterator().some((reference) => !reference.Uri);
  return whole ? "" : "nothing refers to the whole document";
}

async function verify(files) {
  let good = true;
  for (const file of files) {
    const why = await fault(file).catch((e) => String(e.message || e).split("\n")[0] || "an error");
    good = good && why === "";
    console.log((why ? "bad " : "good ") + file + (why ? ": " + why : ""));
  }
  return good;
}

async function sign(job) {
  const doc = parse(job.in);
  const key = await webcrypto.subtle.importKey("pkcs8", fs.readFileSync(job.key), { ...job.algorithm, hash: job.algorithm.hash || job.hash }, true, ["sign"]);
  const certificate = fs.readFileSync(job.cert).toString("base64");
  const options = { x509: [certificate], references: [{ uri: "", hash: job.hash, transforms: ["enveloped", job.transform] }] };
  if (job.xades) {
    Object.assign(options, { signingCertificateV2: certificate, signingTime: { value: new Date() } });
  }
  const signed = job.xades ? new xades.SignedXml() : new xmldsig.SignedXml();
  signed.XmlSignature.SignedInfo.CanonicalizationMethod.Algorithm = job.canonicalization;
  await signed.Sign(job.algorithm, key, doc, options);
  doc.documentElement.appendChild(doc.importNode(signed.GetXml(), true));
  fs.writeFileSync(job.out, new xmldom.XMLSerializer().serializeToString(doc));
}

async function main([command, ...args]) {
  if (command === "verify") {
    return verify(args);
  }
  for (const job of JSON.parse(fs.readFileSync(args[0], "utf8"))) {
    await sign(job).catch((e) => { throw new Error(job.out + ": " + (e.stack || e)); });
  }
  return true;
}

main(process.argv.slice(2)).then((good) => process.exit(good ? 0 : 1), (e) => { console.error(e); process.exit(2); });
