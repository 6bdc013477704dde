package httpapi

import (
	"net/http"
	"net/http/pprof"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

// profileRoutes show where the program spends its time and memory. They stand on
// the operators' listener, where they were asked for.
func profileRoutes() []route {
	at := func(h http.HandlerFunc) handler {
		return func(c *gin.Context, _ exchange.Caller) error {
			h(c.Writer, c.Request)
			return nil
		}
	}
	named := func(c *gin.Context, _ exchange.Caller) error {
		pprof.Handler(c.Param("name")).ServeHTTP(c.Writer, c.Request)
		return nil
	}
	return []route{
		{http.MethodGet, "/debug/pprof/profile", public, noBody, at(pprof.Profile)},
		{http.MethodGet, "/debug/pprof/trace", public, noBody, at(pprof.Trace)},
		{http.MethodGet, "/debug/pprof/:name", public, noBody, named},
	}
}
