package request

import "keyway/provider/pages"

// Shown are the request's authorization details as the consent page shows them.
func (r *Request) Shown() []pages.Detail {
	var all []pages.Detail
	for _, item := range r.Details.Items() {
		d := pages.Detail{Type: item.Type}
		for _, l := range item.Lines {
			d.Lines = append(d.Lines, pages.Line(l))
		}
		all = append(all, d)
	}
	return all
}
