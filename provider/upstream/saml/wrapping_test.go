package saml_test

import (
	"testing"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
)

// evil is a copy of an element that speaks of somebody else, without the signature.
func evil(t *testing.T, e *etree.Element) *etree.Element {
	t.Helper()
	c := e.Copy()
	c.CreateAttr("ID", "_evil")
	c.FindElement(".//NameID").SetText("admin")
	if sig := c.FindElement("./Signature"); sig != nil {
		c.RemoveChild(sig)
	}
	return c
}

// bare is a copy without the signature.
func bare(e *etree.Element) *etree.Element {
	c := e.Copy()
	c.RemoveChild(c.FindElement("./Signature"))
	return c
}

// Each takes an answer that holds, and makes one of it in which what is signed is
// still there, and something else stands where it is looked for: the eight forms
// that SAML Raider numbers.
func wrapped(t *testing.T) map[string]func(root *etree.Element) {
	t.Helper()
	response := func(root *etree.Element, put func(sig, original *etree.Element)) {
		original := bare(root)
		root.CreateAttr("ID", "_evil")
		root.FindElement(".//NameID").SetText("admin")
		put(root.FindElement("./Signature"), original)
	}
	return map[string]func(root *etree.Element){
		"1: the signed response is within the signature of another": func(root *etree.Element) {
			response(root, func(sig, original *etree.Element) { sig.AddChild(original) })
		},
		"2: the signed response is beside the signature of another": func(root *etree.Element) {
			response(root, func(sig, original *etree.Element) { root.InsertChildAt(sig.Index(), original) })
		},
		"3: another assertion is before the signed one": func(root *etree.Element) {
			a := root.FindElement("./Assertion")
			root.InsertChildAt(a.Index(), evil(t, a))
		},
		"4: the signed assertion is within another": func(root *etree.Element) {
			a := root.FindElement("./Assertion")
			around := evil(t, a)
			root.RemoveChild(a)
			around.AddChild(a)
			root.AddChild(around)
		},
		"5: another assertion has the signature, and the signed one is behind it": func(root *etree.Element) {
			a := root.FindElement("./Assertion")
			original := bare(a)
			a.CreateAttr("ID", "_evil")
			a.FindElement(".//NameID").SetText("admin")
			root.AddChild(original)
		},
		"6: another assertion has the signature, and in it the signed one": func(root *etree.Element) {
			a := root.FindElement("./Assertion")
			original := bare(a)
			a.CreateAttr("ID", "_evil")
			a.FindElement(".//NameID").SetText("admin")
			a.FindElement("./Signature").AddChild(original)
		},
		"7: another assertion is in the extensions": func(root *etree.Element) {
			extensions := etree.NewElement("samlp:Extensions")
			extensions.AddChild(evil(t, root.FindElement("./Assertion")))
			root.InsertChildAt(1, extensions)
		},
		"8: another assertion has the signature, and in an object of it the signed one": func(root *etree.Element) {
			a := root.FindElement("./Assertion")
			original := bare(a)
			a.CreateAttr("ID", "_evil")
			a.FindElement(".//NameID").SetText("admin")
			object := etree.NewElement("ds:Object")
			object.AddChild(original)
			a.FindElement("./Signature").AddChild(object)
		},
	}
}

func TestAttack22SignatureWrapping(t *testing.T) {
	for name, wrap := range wrapped(t) {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			what := "assertion"
			if name[0] < '3' {
				what = "response"
			}
			d := s.signed(t, what)
			_, err := s.exchange(t, text(t, d))
			require.NoError(t, err, "as it was signed it holds")
			wrap(d.Root())
			s.attempt, s.at = upstream.Attempt{State: "other", Nonce: s.attempt.Nonce}, s.at.Add(1)
			p, err := s.exchange(t, text(t, d))
			require.Nil(t, p)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "used before", "it is refused for what it is")
			require.NotContains(t, err.Error(), "RelayState")
		})
	}
}

// CVE-2022-41912: of several assertions, the one that was verified has to be the one
// that is read.
func TestCVE202241912SeveralAssertions(t *testing.T) {
	for name, change := range map[string]func(root, a *etree.Element){
		"one that is not signed before": func(root, a *etree.Element) { root.InsertChildAt(a.Index(), evil(t, a)) },
		"one that is not signed after":  func(root, a *etree.Element) { root.AddChild(evil(t, a)) },
		"two that are signed": func(root, a *etree.Element) {
			other := evil(t, a)
			root.AddChild(other)
			theirs().sign(t, other)
		},
		"one in an envelope": func(root, a *etree.Element) {
			box := root.CreateElement("samlp:Response")
			box.AddChild(evil(t, a))
		},
		"one in its advice": func(_, a *etree.Element) { a.CreateElement("saml:Advice").AddChild(evil(t, a)) },
		"one by another name": func(root, a *etree.Element) {
			other := evil(t, a)
			other.Space = "x"
			other.CreateAttr("xmlns:x", "urn:oasis:names:tc:SAML:2.0:assertion")
			root.InsertChildAt(a.Index(), other)
		},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			s := newIDP(t)
			d := s.signed(t, "assertion")
			change(d.Root(), d.FindElement("//Assertion"))
			_, err := s.exchange(t, text(t, d))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
	t.Run("none is refused", func(t *testing.T) {
		s := newIDP(t)
		d := s.signed(t, "")
		d.Root().RemoveChild(d.FindElement("//Assertion"))
		s.key.sign(t, d.Root())
		_, err := s.exchange(t, text(t, d))
		require.ErrorContains(t, err, "has not one assertion")
	})
}

// Things that stand twice, or where they do not belong, are refused for just that, even
// if nothing is won by them today.
func TestResponsesOfAnotherShape(t *testing.T) {
	for name, c := range map[string]struct {
		change func(root *etree.Element)
		why    string
	}{
		"two statuses": {func(root *etree.Element) {
			status := root.FindElement("./Status")
			root.InsertChildAt(status.Index(), status.Copy())
		}, "stands twice"},
		"two issuers": {func(root *etree.Element) {
			root.InsertChildAt(0, root.FindElement("./Issuer").Copy())
		}, "stands twice"},
		"two signatures": {func(root *etree.Element) {
			root.InsertChildAt(0, root.FindElement("./Signature").Copy())
		}, "stands twice"},
		"a signature of something in the extensions": {func(root *etree.Element) {
			extensions := root.CreateElement("samlp:Extensions")
			other := extensions.CreateElement("x")
			other.CreateAttr("ID", "_x")
			sig := root.FindElement("./Assertion/Signature").Copy()
			sig.FindElement("./SignedInfo/Reference").CreateAttr("URI", "#_x")
			other.AddChild(sig)
		}, "a signature where none belongs"},
		"a child of another namespace": {func(root *etree.Element) {
			root.CreateElement("x").CreateAttr("xmlns", "urn:x")
		}, "a child that responses do not have"},
		"an id with a prefix": {func(root *etree.Element) {
			root.FindElement(".//Subject").CreateAttr("xml:id", "_x")
		}, "an id"},
		"another root": {func(root *etree.Element) { root.Tag = "LogoutResponse" }, "no response"},
		"a root of another namespace": {func(root *etree.Element) {
			root.CreateAttr("xmlns:samlp", "urn:x")
		}, "no response"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			d := s.signed(t, "both")
			c.change(d.Root())
			_, err := s.exchange(t, text(t, d))
			require.ErrorContains(t, err, c.why)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		})
	}
}
