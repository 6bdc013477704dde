package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// A permission says who may come as far as a route's handler. What they may see
// and do there is the exchange's decision.
type permission int

const (
	nobody         permission = iota // a route that names nobody is served to nobody
	public                           // anyone, without credentials
	anyone                           // a system or a person
	systems                          // agencies' systems
	people                           // operators, auditors, administrators
	operators                        // operators and administrators
	administrators                   // administrators
	guests                           // anyone; who says who it is, is known
)

// permissions says for whom each is, in the words of a refusal.
var permissions = map[permission]struct{ en, vi string }{
	nobody:         {"nobody", "không ai"},
	public:         {"anyone", "mọi người"},
	anyone:         {"systems and users", "hệ thống và người dùng"},
	systems:        {"agencies' systems", "hệ thống của các cơ quan"},
	people:         {"users", "người dùng"},
	operators:      {"operators", "người vận hành"},
	administrators: {"administrators", "quản trị viên"},
	guests:         {"anyone", "mọi người"},
}

func (p permission) admits(by exchange.Caller) bool {
	switch p {
	case public, guests:
		return true
	case anyone:
		return by.System != nil || by.User != nil
	case systems:
		return by.System != nil
	case people:
		return by.Watches()
	case operators:
		return by.Operates()
	case administrators:
		return by.Administers()
	}
	return false
}

// A handler decodes a request, makes one call and encodes the answer. An error
// is answered with a problem document.
type handler func(c *gin.Context, by exchange.Caller) error

// A route is one line of the interface.
type route struct {
	method string
	path   string // as gin writes it
	who    permission
	takes  bodyKind
	serve  handler
}

// submitRoute is where packages are submitted.
const submitRoute = "/v1/packages"

// routes is the whole interface: who may ask for what.
func (s *Server) routes() []route {
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	return []route{
		{post, submitRoute, systems, packageBody, s.submit},
		{get, "/v1/packages", anyone, noBody, s.packages},
		{get, "/v1/packages/:id", anyone, noBody, s.packageView},
		{get, "/v1/packages/:id/content", systems, noBody, s.packageContent},
		{get, "/v1/packages/:id/receipts", anyone, noBody, s.receipts},
		{post, "/v1/packages/:id/purge", administrators, jsonBody, s.purge},

		{post, "/v1/validate", s.validators(), packageBody, s.validate},
		{get, "/validate", s.validators(), noBody, s.validateForm},
		{post, "/validate", s.validators(), formBody, s.validateFile},
		{get, "/rules", public, noBody, s.rules},

		{get, "/v1/search", anyone, noBody, s.search},
		{get, "/v1/inbox", systems, noBody, s.inbox},
		{get, "/v1/deliveries", anyone, noBody, s.deliveries},
		{get, "/v1/deliveries/:id", anyone, noBody, s.delivery},
		{get, "/v1/deliveries/:id/content", systems, noBody, s.deliveryContent},
		{post, "/v1/deliveries/:id/acknowledgement", systems, acknowledgementBody, s.acknowledge},
		{post, "/v1/deliveries/:id/hold", operators, jsonBody, s.operate(s.x.Hold)},
		{post, "/v1/deliveries/:id/release", operators, jsonBody, s.operate(s.x.Release)},
		{post, "/v1/deliveries/:id/retry", operators, jsonBody, s.operate(s.x.Retry)},
		{post, "/v1/deliveries/:id/cancel", operators, jsonBody, s.operate(s.x.Cancel)},

		{post, "/v1/rescans", operators, jsonBody, s.rescan},

		{get, "/v1/receipts/:id", anyone, noBody, s.receipt},
		{get, "/v1/receipts/:id/proof", anyone, noBody, s.proof},
		{get, "/v1/receipts/:id/timestamped", anyone, noBody, s.timestamped},
		{get, "/v1/timestamps", people, noBody, s.timestamps},
		{get, "/v1/actions", people, noBody, s.actions},
		{get, "/v1/orphans", people, noBody, s.orphans},
		{get, "/v1/alerts", people, noBody, s.alerts},
		{post, "/v1/alerts/:id/acknowledge", operators, jsonBody, s.acknowledgeAlert},
		{get, "/v1/reports", people, noBody, s.report},
		{get, "/v1/certificates", people, noBody, s.certificates},
		{get, "/v1/revocation", people, noBody, s.revocation},
		{get, "/v1/relays", people, noBody, s.relays},

		{get, "/v1/agencies", anyone, noBody, s.agencies},
		{get, "/v1/agencies/:code", anyone, noBody, s.agency},
		{put, "/v1/agencies/:code", administrators, jsonBody, s.putAgency},
		{get, "/v1/systems", people, noBody, s.systems},
		{get, "/v1/systems/:id", people, noBody, s.system},
		{put, "/v1/systems/:id", administrators, jsonBody, s.putSystem},
		{post, "/v1/systems/:id/secret", administrators, noBody, s.secret(s.x.IssueSystemSecret)},
		{post, "/v1/systems/:id/shared-secret", administrators, jsonBody, s.sharedSecret},
		{get, "/v1/users", administrators, noBody, s.users},
		{put, "/v1/users/:id", administrators, jsonBody, s.putUser},
		{post, "/v1/users/:id/secret", administrators, noBody, s.secret(s.x.IssueUserSecret)},
		{post, "/v1/backup", administrators, jsonBody, s.backup},
		{post, "/v1/compaction", administrators, noBody, s.compact},
		{post, "/v1/restore-drills", administrators, jsonBody, s.recordDrill},

		{get, "/v1/keys", public, noBody, s.keys},
		{post, "/v1/keys/reload", administrators, jsonBody, s.reloadKeys},
		{get, "/v1/log/checkpoint", public, noBody, s.checkpoint},
		{get, "/v1/log/tile/entries/*index", public, noBody, s.entries},
		{get, "/v1/log/tile/:level/*index", public, noBody, s.tile},
		{get, "/openapi.yaml", public, noBody, s.openapi},
		{get, "/healthz", public, noBody, s.healthz},
		{get, "/readyz", public, noBody, s.readyz},
	}
}

// operatorsRoutes stand on a listener of their own.
func (s *Server) operatorsRoutes() []route {
	return []route{
		{http.MethodGet, "/healthz", public, noBody, s.healthz},
		{http.MethodGet, "/readyz", public, noBody, s.readyz},
		{http.MethodGet, "/metrics", public, noBody, s.scrape},
	}
}

// serve is a route's way: who is it, may it, not too often, and its body within
// limits.
func (s *Server) serve(r route) gin.HandlerFunc {
	return func(c *gin.Context) {
		by, err := s.admit(c, r)
		if err == nil {
			err = s.withBody(c, r.takes, func() error { return r.serve(c, by) })
		}
		if err != nil {
			s.problem(c, err)
		}
	}
}

func (s *Server) admit(c *gin.Context, r route) (exchange.Caller, error) {
	record := recordOf(c)
	record.route = r.path
	by, err := s.caller(c.Request, r.who)
	if err != nil {
		return by, err
	}
	record.caller = by.String()
	if !r.who.admits(by) {
		return by, otherCaller(r.who).With(by)
	}
	name := by.String()
	if by == (exchange.Caller{}) {
		name = addressOf(c.Request)
	}
	if wait, ok := s.rates.take(name, s.now()); !ok {
		return by, tooOften.With(name, wait)
	}
	return by, nil
}
