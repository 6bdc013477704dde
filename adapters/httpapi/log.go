package httpapi

import (
	"bytes"
	_ "embed" // the interface's description
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"tram/exchange"
)

//go:embed openapi.yaml
var description []byte

func (s *Server) openapi(c *gin.Context, _ exchange.Caller) error {
	h := c.Writer.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", `"`+exchange.DigestOf(description).String()+`"`)
	http.ServeContent(c.Writer, c.Request, "", s.now(), bytes.NewReader(description))
	return nil
}

func (s *Server) keys(c *gin.Context, _ exchange.Caller) error {
	c.Header("Cache-Control", "public, max-age=300")
	return answer(c, http.StatusOK, s.x.Keys())
}

// reloadKeys publishes and uses the sealing keys as they are configured now.
func (s *Server) reloadKeys(c *gin.Context, by exchange.Caller) error {
	reason, err := reasonOf(c)
	if err != nil {
		return err
	}
	keys, err := s.x.ReloadSeals(c.Request.Context(), by, reason)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, keys)
}

func (s *Server) checkpoint(c *gin.Context, _ exchange.Caller) error {
	checkpoint, err := s.x.Checkpoint(c.Request.Context())
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "no-cache")
	c.Data(http.StatusOK, mediaText, checkpoint)
	return nil
}

// actions lists what the log's leaves of actions are of.
func (s *Server) actions(c *gin.Context, by exchange.Caller) error {
	q, limit, err := pageQuery(c, "cursor", "limit")
	if err != nil {
		return err
	}
	list, cursor, err := s.x.Actions(c.Request.Context(), by, q.Get("cursor"), limit)
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, struct {
		Actions []exchange.Action `json:"actions"`
		Cursor  string            `json:"cursor"`
	}{orEmpty(list), cursor})
}

func (s *Server) tile(c *gin.Context, _ exchange.Caller) error {
	level, err := strconv.ParseInt(c.Param("level"), 10, 64)
	n, width, ok := tileIndex(c.Param("index"))
	if !ok || err != nil || c.Param("level") != strconv.FormatInt(level, 10) || level < 0 || level > 63 {
		return noTile(c)
	}
	hashes, err := s.x.Tile(c.Request.Context(), level, n, width)
	if err != nil {
		return err
	}
	return tileData(c, hashes, width)
}

func (s *Server) entries(c *gin.Context, _ exchange.Caller) error {
	n, width, ok := tileIndex(c.Param("index"))
	if !ok {
		return noTile(c)
	}
	bundle, err := s.x.EntryBundle(c.Request.Context(), n, width)
	if err != nil {
		return err
	}
	return tileData(c, bundle, width)
}

func noTile(c *gin.Context) error {
	return exchange.NotFoundError("tile", exchange.Excerpt(c.Request.URL.Path))
}

// tileData answers with bytes that never change. A partial tile may no longer
// be offered once the full one is.
func tileData(c *gin.Context, data []byte, width int) error {
	keep := "public, max-age=3600"
	if width == exchange.TileWidth {
		keep = "public, max-age=31536000, immutable"
	}
	c.Header("Cache-Control", keep)
	c.Data(http.StatusOK, mediaBytes, data)
	return nil
}

// tileIndex reads "/x001/x234/067" and "/x001/x234/067.p/8" (C2SP tlog-tiles,
// "Merkle Tree"): groups of three digits, all but the last marked with an x.
func tileIndex(path string) (n int64, width int, ok bool) {
	path = strings.TrimPrefix(path, "/")
	width = exchange.TileWidth
	if index, partial, found := strings.Cut(path, ".p/"); found {
		w, err := strconv.Atoi(partial)
		if err != nil || w < 1 || w >= exchange.TileWidth || strconv.Itoa(w) != partial {
			return 0, 0, false
		}
		path, width = index, w
	}
	groups := strings.Split(path, "/")
	if len(groups) > 6 || (len(groups) > 1 && groups[0] == "x000") { // 6 groups hold 2^59; a leading zero has no place
		return 0, 0, false
	}
	for i, group := range groups {
		digits, marked := strings.CutPrefix(group, "x")
		v, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || marked != (i < len(groups)-1) {
			return 0, 0, false
		}
		n = n*1000 + int64(v)
	}
	return n, width, true
}

func (s *Server) healthz(c *gin.Context, _ exchange.Caller) error {
	c.Data(http.StatusOK, mediaText, []byte("ok\n"))
	return nil
}

// readyz tells a balancer whether to send requests here.
func (s *Server) readyz(c *gin.Context, _ exchange.Caller) error {
	if s.draining.Err() != nil {
		c.Data(http.StatusServiceUnavailable, mediaText, []byte("shutting down\n"))
		return nil
	}
	if err := s.x.Ready(c.Request.Context()); err != nil {
		s.log.WarnContext(c.Request.Context(), "not ready", "err", err)
		c.Data(http.StatusServiceUnavailable, mediaText, []byte("not ready\n"))
		return nil
	}
	c.Data(http.StatusOK, mediaText, []byte(s.readiness(c.Request.Context())))
	return nil
}
