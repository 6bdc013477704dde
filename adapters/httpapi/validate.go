package httpapi

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// mostSamples is how many packages of the public are validated at once.
const mostSamples = 8

// samplesPause and samplesBurst are how often one address may validate without
// saying who it is: one in so many seconds, and so many at once.
const (
	samplesPause = 2
	samplesBurst = 10
)

// validators says who may have packages validated.
func (s *Server) validators() permission {
	if s.publicValidator {
		return guests
	}
	return anyone
}

// sample holds the public to tighter limits than those who say who they are.
func (s *Server) sample(c *gin.Context, by exchange.Caller, validate func() error) error {
	if by != (exchange.Caller{}) {
		return validate()
	}
	address := addressOf(c.Request)
	if wait, ok := s.sampleRates.take(address, s.now()); !ok {
		return tooOften.With(address, wait)
	}
	if !s.samples.take(address) {
		return tooManyBodies.With(samplesPause)
	}
	defer s.samples.giveBack(address)
	return validate()
}

func (s *Server) validate(c *gin.Context, by exchange.Caller) error {
	return s.sample(c, by, func() error {
		v, err := s.x.Validate(c.Request.Context(), by, c.Request.Body)
		if err != nil {
			return err
		}
		return answer(c, http.StatusOK, v.Verdict())
	})
}

// validatePage is the page to validate a package on, and what was found.
type validatePage struct {
	page
	Public  bool // who asks did not say who it is
	File    string
	Verdict *exchange.Verdict
	Problem string
}

func (s *Server) validateForm(c *gin.Context, by exchange.Caller) error {
	base, err := s.page(c, func(w words) string { return w.ValidateTitle })
	if err != nil {
		return err
	}
	return s.html(c, http.StatusOK, "validate", base.Lang, validatePage{page: base, Public: by == exchange.Caller{}})
}

// validateFile answers a form with the page. A refusal of the request, which is
// not about the package, is told on the page, too.
func (s *Server) validateFile(c *gin.Context, by exchange.Caller) error {
	base, err := s.page(c, func(w words) string { return w.ValidateTitle })
	if err != nil {
		return err
	}
	p := validatePage{page: base, Public: by == exchange.Caller{}}
	err = s.sample(c, by, func() error { return s.fill(c, by, &p) })
	if err == nil {
		return s.html(c, http.StatusOK, "validate", p.Lang, p)
	}
	if c.Request.Context().Err() != nil {
		return err // nobody reads it
	}
	refused := s.noteRefusal(c, err)
	p.Problem = refused.Text(p.Lang)
	s.headersOf(c, refused, statusOf(refused), p.Lang)
	s.hurry(c, statusOf(refused))
	return s.html(c, statusOf(refused), "validate", p.Lang, p)
}

// fill validates the form's file.
func (s *Server) fill(c *gin.Context, by exchange.Caller, p *validatePage) error {
	part, err := packagePart(c.Request)
	if err != nil {
		return err
	}
	if part == nil {
		p.Problem = p.T.NoFile
		return nil
	}
	v, err := s.x.Validate(c.Request.Context(), by, part)
	if err != nil {
		return err
	}
	verdict := v.Verdict()
	p.File, p.Verdict = exchange.Excerpt(part.FileName()), &verdict
	return nil
}

// packagePart finds the form's file; nil if none was chosen. It is read as it
// comes and not kept.
func packagePart(r *http.Request) (*multipart.Part, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, badForm.With()
	}
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil && exchange.CodeOf(err) != exchange.Internal: // the body did not come whole
			return nil, err
		case err != nil:
			return nil, badForm.With()
		case part.FormName() == "package" && part.FileName() != "":
			return part, nil
		}
	}
}
