package vxp

import (
	"net/http"

	"tram/exchange"
)

// agency is an entry of getAgenciesList.
type agency struct {
	ID     string `json:"id"`
	Parent string `json:"pid"`
	Code   string `json:"code"`
	Name   string `json:"name"`
	Mail   string `json:"mail"`
}

// unit is an entry of getSynchronizeUnit.
type unit struct {
	agency
	Version  int    `json:"version"`
	Center   string `json:"centerCode"`
	Deleted  bool   `json:"deleted"`
	Modified string `json:"modifyDate"`
	IsAgency bool   `json:"isAgency"`
}

func (f *face) agencies(w http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	list, err := f.directory(r)
	if err != nil {
		return err
	}
	entries := make([]agency, 0, len(list))
	for _, a := range list {
		if a.Closed.IsZero() || f.now().Before(a.Closed) {
			entries = append(entries, agencyOf(a))
		}
	}
	answer := good
	answer.Data = entries
	return answer.send(w)
}

func (f *face) units(w http.ResponseWriter, r *http.Request, _ exchange.Caller) error {
	list, err := f.directory(r)
	if err != nil {
		return err
	}
	entries := make([]unit, 0, len(list))
	for _, a := range list {
		closed := !a.Closed.IsZero() && !f.now().Before(a.Closed)
		entries = append(entries, unit{agency: agencyOf(a), Version: int(a.Version), Deleted: closed, Modified: local(a.Closed), IsAgency: true})
	}
	answer := good
	answer.Data = entries
	return answer.send(w)
}

// directory is all of it: the protocol has no pages here.
func (f *face) directory(r *http.Request) ([]exchange.Agency, error) {
	if _, err := asked(r); err != nil {
		return nil, err
	}
	var all []exchange.Agency
	err := f.x.EachAgency(r.Context(), func(a exchange.Agency) error {
		all = append(all, a)
		return nil
	})
	return all, err
}

func agencyOf(a exchange.Agency) agency {
	return agency{ID: a.Code, Parent: a.Parent, Code: a.Code, Name: a.Name}
}
