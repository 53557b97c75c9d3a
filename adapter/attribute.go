package adapter

// AttributeHas reports whether an account's attribute is text, or a list that
// contains it.
func AttributeHas(attribute any, text string) bool {
	list, ok := attribute.([]any)
	if !ok {
		return attribute != nil && toText(attribute) == text
	}
	for _, v := range list {
		if toText(v) == text {
			return true
		}
	}
	return false
}
