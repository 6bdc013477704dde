package provincial

import (
	"cmp"
	"net/http"

	"tram/exchange"
)

// agencies lists the directory: closed agencies are left out. It streams, however
// many there are.
func (f *Face) agencies(w http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	type entry struct {
		Code    string `json:"orgCode"`
		Name    string `json:"orgName"`
		Parent  string `json:"parentCode"`
		Address string `json:"address"`
		Email   string `json:"email"`
		Phone   string `json:"phone"`
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	s := &stream{w: w}
	separator := "["
	err := f.x.EachAgency(r.Context(), func(a exchange.Agency) error {
		if !a.Closed.IsZero() {
			return nil
		}
		s.text(separator)
		s.value(entry{Code: a.Code, Name: a.Name, Parent: a.Parent, Email: a.Mail, Phone: a.Phone, Address: a.Address})
		separator = ",\n"
		return s.err
	})
	if separator == "[" {
		if err != nil {
			return err // nothing was written yet
		}
		s.text("[")
	}
	if s.err == nil {
		s.err = err
	}
	s.text("]")
	if s.err != nil {
		f.log.WarnContext(r.Context(), "a list of agencies broke off", "err", s.err)
	}
	return nil
}

// register is called by software when it starts. An agency that the system speaks
// for is registered already, which is what it wants; others are for administrators.
func (f *Face) register(w http.ResponseWriter, r *http.Request, by exchange.Caller) error {
	var given struct {
		OrgCode string `json:"orgCode"`
		Code    string `json:"code"`
	}
	if err := decode(r.Body, &given); err != nil {
		return err
	}
	code := cmp.Or(given.OrgCode, given.Code)
	a, err := f.x.Agency(r.Context(), code)
	if err != nil && exchange.CodeOf(err) != exchange.NotFound {
		return err
	}
	if err != nil || !by.Speaks(a.Code) {
		return registryOnly.With(exchange.Excerpt(code))
	}
	return answer(w, http.StatusOK, well("Cơ quan đã có trong danh bạ"))
}

// remove is for administrators, always.
func (f *Face) remove(_ http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	var given struct {
		OrgCode    string `json:"orgCode"`
		Code       string `json:"code"`
		AgencyCode string `json:"AgencyCode"`
	}
	if r.ContentLength != 0 {
		if err := decode(r.Body, &given); err != nil {
			return err
		}
	}
	return registryOnly.With(exchange.Excerpt(cmp.Or(given.OrgCode, given.Code, given.AgencyCode, r.URL.Query().Get("code"))))
}
