package edxml

import (
	"errors"
	"strings"

	"tram/exchange"
	"tram/signing"
)

// attachments judges the contents that streamed by and links them to the
// manifest.
func (r *reading) attachments(d *decoder, root, body *signing.Element) []exchange.Attachment {
	list := r.one(root, "AttachmentEncoded").All(Namespace, "Attachment")
	if len(list) > d.o.Attachments {
		r.refuse(ruleTooMany.With(len(list), d.o.Attachments), list[d.o.Attachments])
		return nil
	}
	m := r.manifest(body)
	ids, names := map[string]int{}, map[string]bool{}
	var found []exchange.Attachment
	for _, e := range list {
		a := r.attachment(d, e, m)
		if first, used := ids[a.ContentID]; used && a.ContentID != "" {
			r.refuse(ruleContentID.With(excerpt(a.ContentID), first), e)
		}
		if names[strings.ToLower(a.Name)] {
			r.warn(warnSameName, e)
		}
		ids[a.ContentID], names[strings.ToLower(a.Name)] = e.Line, true
		found = append(found, a)
	}
	if ref := m.unused(); ref != nil {
		r.warn(warnReference, ref.of)
	}
	return found
}

// attachment reads one attachment.
func (r *reading) attachment(d *decoder, e *signing.Element, m manifest) exchange.Attachment {
	a := exchange.Attachment{ContentID: contentID(r.brief(e, "ContentId")), ContentType: r.brief(e, "ContentType")}
	a.Name = r.attachmentName(e, a, m)
	at := r.need(e, "JVBERi0xLjQK", "ContentTransferEncoded")
	c := d.contents[at]
	if at == nil || c == nil {
		return a
	}
	if c.raw.size == 0 {
		r.refuse(ruleMissing.With("ContentTransferEncoded", "JVBERi0xLjQK"), at)
	}
	f, err := c.file(a.ContentType, a.Name)
	r.refuse(err, at)
	a.Size, a.Digest = f.size, f.digest
	if f.look == nil { // it is refused
		return a
	}
	if a.Ranges = f.look.signed(); d.o.Types == TypesOff {
		return a
	}
	if a.Detected, a.Flags, err = f.look.judge(a.Name, a.ContentType, d.o.Types); err != nil {
		r.refuse(err, at)
	}
	for _, flag := range a.Flags {
		r.warn(flagWarnings[flag], at)
	}
	return a
}

// file is what receivers will have of the content.
func (c *content) file(kind, name string) (file, *exchange.Error) {
	if !wrapped(kind, name) {
		return c.raw, nil
	}
	var f *flaw
	if errors.As(c.zip.found.err, &f) {
		return file{}, f.of(excerpt(name))
	}
	var refused *exchange.Error
	if errors.As(c.zip.found.err, &refused) {
		return file{}, refused
	}
	return c.zip.found.file, nil
}

// attachmentName is the attachment's own name or else the manifest's. Receivers
// save files under either.
func (r *reading) attachmentName(e *signing.Element, a exchange.Attachment, m manifest) string {
	at := r.one(e, "AttachmentName")
	name := r.value(at)
	ref := m.find(a.ContentID, name)
	if ref == nil {
		r.warn(warnUnlisted, e)
		ref = &reference{}
	}
	ref.used = true
	if name == "" {
		name, at = ref.name, ref.at
	}
	if name == "" {
		r.refuse(ruleMissing.With("AttachmentName", "CV_1250_STC.pdf"), e)
		return ""
	}
	if !plainName(name) {
		r.refuse(ruleName.With(excerpt(name)), at)
	}
	if ref.name != "" && ref.name != name {
		r.warn(warnNames, at)
		if wrapped(a.ContentType, ref.name) != wrapped(a.ContentType, name) {
			r.refuse(ruleWrapping.With(excerpt(ref.name), excerpt(name)), at)
		}
	}
	return name
}

// contentID is a content identifier without the scheme, which some write once,
// some twice and some not at all.
func contentID(id string) string {
	for len(id) >= 4 && strings.EqualFold(id[:4], "cid:") {
		id = id[4:]
	}
	return id
}

// manifest is what the body says about attachments.
type manifest []*reference

type reference struct {
	id, name string
	of       *signing.Element // the reference's own
	at       *signing.Element // of the name
	used     bool
}

const xlink = "http://www.w3.org/1999/xlink"

func (r *reading) manifest(body *signing.Element) manifest {
	var m manifest
	for _, e := range r.one(body, "edXMLManifest").All(Namespace, "Reference") {
		at := r.one(e, "AttachmentName")
		ref := &reference{id: contentID(r.text(e, "ContentId")), name: r.value(at), of: e, at: at}
		if href, ok := e.Attr(xlink, "href"); ok && ref.id == "" {
			ref.id = contentID(strings.TrimSpace(href))
		}
		if ref.name != "" && !plainName(ref.name) {
			r.refuse(ruleName.With(excerpt(ref.name)), at)
		}
		m = append(m, ref)
	}
	return m
}

// find finds the reference to an attachment: by its identifier, or by its name.
func (m manifest) find(id, name string) *reference {
	for _, ref := range m {
		if id != "" && ref.id == id {
			return ref
		}
	}
	for _, ref := range m {
		if name != "" && ref.name == name && !ref.used {
			return ref
		}
	}
	return nil
}

// unused is the first reference that leads nowhere.
func (m manifest) unused() *reference {
	for _, ref := range m {
		if !ref.used {
			return ref
		}
	}
	return nil
}
