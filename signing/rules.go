package signing

// Rule names what a document broke. Once published a name keeps its meaning.
type Rule string

// Kind is the group the rule belongs to.
func (r Rule) Kind() Kind { return Malformed }

// Text says in "vi" or "en" what is wrong and the next step.
func (r Rule) Text(lang string) string { return string(r) }
