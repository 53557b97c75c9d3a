// Package pages renders what people see: sign-in, consent, devices, logout, account
// and errors, in their language and the operator's colours. It decides nothing;
// each page is a struct that an endpoint fills.
package pages
