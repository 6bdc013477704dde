package main

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"
)

// effective is one value that the hub runs with, and where it comes from.
type effective struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	// From is file and line, or "default".
	From string `json:"from"`
}

func configCommand(o *options) *cobra.Command {
	c := &cobra.Command{Use: "config", GroupID: "run", Short: "Show or check the configuration"}
	c.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "Show every value in force, and where it comes from",
		Long: `show prints every value that the hub would run with: those of the file, with
their lines, and defaults. Secrets are in files of their own and are not read;
a password inside a URL is not shown. Paths are whole.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			values := cfg.effective()
			return o.show(c, values, func(w io.Writer) { describeConfig(w, values) })
		},
	}, &cobra.Command{
		Use:   "check",
		Short: "Read the configuration and its keys, and tell what is wrong, with lines",
		Long: `check reads the configuration, and the keys and certificates that it names, as
"hub serve" would, and tells all that is wrong with it. It looks at nothing else:
"hub check" does.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(o.config)
			if err != nil {
				return err
			}
			if _, err := loadKeys(cfg); err != nil {
				return err
			}
			return o.show(c, map[string]string{"config": cfg.path, "state": "ok"}, func(w io.Writer) { fmt.Fprintln(w, cfg.path, "is well") })
		},
	})
	return c
}

func describeConfig(w io.Writer, values []effective) {
	fmt.Fprintln(w, "KEY\tVALUE\tFROM")
	for _, v := range values {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, v.Value, v.From)
	}
}

// effective lists all values that are set, in the order of the fields.
func (c config) effective() []effective {
	file, _ := parser.ParseBytes(c.source, 0) // it was read before
	var list []effective
	walkConfig("", reflect.ValueOf(c), func(key string, v reflect.Value) {
		from := "default"
		if line := lineIn(file, key); line > 0 {
			from = fmt.Sprintf("%s:%d", filepath.Base(c.path), line)
		} else if v.IsZero() {
			return
		}
		list = append(list, effective{key, redacted(shownValue(v)), from})
	})
	return list
}

// walkConfig visits what has a name in the file and no parts of its own.
func walkConfig(key string, v reflect.Value, visit func(key string, v reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[instant](), v.Kind() != reflect.Struct && v.Kind() != reflect.Slice,
		v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Struct:
		visit(key, v)
	case v.Type() == reflect.TypeFor[sealSettings]() && v.Len() == 1:
		walkConfig(key, v.Index(0), visit) // one alone needs no list
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walkConfig(fmt.Sprintf("%s[%d]", key, i), v.Index(i), visit)
		}
	default:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
				walkConfig(strings.TrimPrefix(key+"."+name, "."), v.Field(i), visit)
			}
		}
	}
}

// lineIn is where a key stands; 0 if it does not.
func lineIn(file *ast.File, key string) int {
	path, err := yaml.PathString("$." + key)
	if err != nil || file == nil {
		return 0
	}
	node, err := path.FilterFile(file)
	if err != nil || node == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

func shownValue(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case duration:
		return time.Duration(value).String()
	case instant:
		return time.Time(value).Format(time.RFC3339)
	case size:
		return fmt.Sprintf("%d bytes", value)
	case []string:
		return strings.Join(value, " ")
	default:
		return fmt.Sprint(value)
	}
}

var pin = regexp.MustCompile(`(pin-value=)[^;?&]*`)

// redacted hides what some put into URLs although it has a file of its own.
func redacted(value string) string {
	if u, err := url.Parse(value); err == nil && u.User != nil {
		value = u.Redacted()
	}
	return pin.ReplaceAllString(value, "${1}xxxxx")
}
