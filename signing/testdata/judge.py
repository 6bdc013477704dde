"""A process that answers, over its standard input and output, what xmlsec1 and
libxml2 make of a document, as long as it is asked. Starting a program for each
document would take a hundred times as long.

    python3 judge.py KEY.pem...

A question is its kind, a number (a byte each), a length (four bytes, the
highest first) and as many bytes; an answer is 1 or 0 (a byte), a length and as
many bytes:

    v KEY DOCUMENT   verify the first signature with that key: 1, or 0 and why
    s KEY DOCUMENT   fill in the first signature's template: 1 and the document
    c FORM PREFIXES newline ELEMENT newline DOCUMENT
                     canonical form: 1 and it, or 0 and why. FORM is 0 for
                     exclusive, 1 for inclusive 1.0, 2 for inclusive 1.1;
                     ELEMENT is 0 for the document, n for its nth element
"""

import ctypes
import ctypes.util
import struct
import sys

import xmlsec
from lxml import etree

DS = "{http://www.w3.org/2000/09/xmldsig#}Signature"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}SignedProperties"

libxml2 = ctypes.CDLL(ctypes.util.find_library("xml2") or "libxml2.so.2")
for name, result, arguments in [
    ("xmlReadMemory", "p", "sissi"),
    ("xmlFreeDoc", None, "p"),
    ("xmlXPathNewContext", "p", "p"),
    ("xmlXPathFreeContext", None, "p"),
    ("xmlXPathEvalExpression", "p", "sp"),
    ("xmlXPathFreeObject", None, "p"),
    ("xmlC14NDocDumpMemory", "i", "ppipip"),
]:
    function = getattr(libxml2, name)
    types = {"p": ctypes.c_void_p, "s": ctypes.c_char_p, "i": ctypes.c_int, None: None}
    function.restype, function.argtypes = types[result], [types[a] for a in arguments]
libc_free = ctypes.CFUNCTYPE(None, ctypes.c_void_p).in_dll(libxml2, "xmlFree")

# As xmlsec1 reads: XML_PARSE_NOENT, NONET, HUGE; and NOERROR, NOWARNING.
OPTIONS = 1 << 1 | 1 << 11 | 1 << 19 | 1 << 5 | 1 << 6


class XPathObject(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("nodes", ctypes.c_void_p)]


def canonical(form, body):
    prefixes, element, document = body.split(b"\n", 2)
    doc = libxml2.xmlReadMemory(document, len(document), None, None, OPTIONS)
    if not doc:
        return 0, b"not well-formed"
    try:
        return dump(doc, form, prefixes.split(), int(element))
    finally:
        libxml2.xmlFreeDoc(doc)


def dump(doc, form, prefixes, element):
    context = libxml2.xmlXPathNewContext(doc)
    found, nodes = None, None
    if element:
        top = "(//*)[%d]/descendant-or-self::" % element
        expression = "{0}node() | {0}*/@* | {0}*/namespace::*".format(top)
        found = libxml2.xmlXPathEvalExpression(expression.encode(), context)
        nodes = XPathObject.from_address(found).nodes
    listed = (ctypes.c_char_p * (len(prefixes) + 1))(*prefixes, None)
    out = ctypes.c_void_p()
    try:
        n = libxml2.xmlC14NDocDumpMemory(doc, nodes, (1, 0, 2)[form], ctypes.cast(listed, ctypes.c_void_p) if prefixes else None, 0, ctypes.byref(out))
        if n < 0:
            return 0, b"no canonical form"
        return 1, ctypes.string_at(out, n)
    finally:
        if out:
            libc_free(out)
        if found:
            libxml2.xmlXPathFreeObject(found)
        libxml2.xmlXPathFreeContext(context)


def parse(document):
    parser = etree.XMLParser(resolve_entities=True, no_network=True, huge_tree=True, strip_cdata=False)
    root = etree.fromstring(document, parser)
    signature = next(root.iter(DS), None)
    if signature is None:
        raise ValueError("no signature")
    if root.get("Id") is not None:
        xmlsec.tree.add_ids(root, ["Id"])
    for properties in root.iter(XADES):
        xmlsec.tree.add_ids(properties, ["Id"])
    return root, signature


def verify(key, document):
    root, signature = parse(document)
    context = xmlsec.SignatureContext()
    context.key = key
    context.verify(signature)
    return 1, b""


def sign(key, document):
    root, signature = parse(document)
    context = xmlsec.SignatureContext()
    context.key = key
    context.sign(signature)
    return 1, etree.tostring(root.getroottree(), encoding="utf-8", xml_declaration=False)


def answer(kind, number, body, keys):
    try:
        if kind == b"c":
            return canonical(number, body)
        return (verify if kind == b"v" else sign)(keys[number], body)
    except Exception as refusal:  # whatever it is, the document is refused
        return 0, (type(refusal).__name__ + ": " + str(refusal)).encode("utf-8", "replace")


def read_key(file):
    try:
        key = xmlsec.Key.from_file(file, xmlsec.constants.KeyDataFormatPem)
        key.load_cert_from_file(file, xmlsec.constants.KeyDataFormatPem)
        return key
    except xmlsec.Error:
        return None  # of a kind that it does not know


def main():
    xmlsec.enable_debug_trace(False)
    keys = [read_key(file) for file in sys.argv[1:]]
    asked, said = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = asked.read(6)
        if len(head) < 6:
            return
        kind, number, length = head[:1], head[1], struct.unpack(">I", head[2:])[0]
        status, text = answer(kind, number, asked.read(length), keys)
        said.write(struct.pack(">BI", status, len(text)) + text)
        said.flush()


main()
