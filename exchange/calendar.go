package exchange

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

//go:embed calendar.txt
var holidays string

// Vietnam is the zone of every day and local time of documents: UTC+7, with no
// summer time. There has been no other since 1975.
var Vietnam = time.FixedZone("UTC+7", 7*60*60)

// Calendar knows when agencies work. Its moments are in UTC+7, whatever zone the
// time that is asked about is in.
type Calendar struct {
	hours     []span
	every     map[string]string // "01-02": its name
	days      map[string]calendarDay
	announced map[string]bool // "2026"
}

// span is a part of a day, counted from midnight.
type span struct{ from, to time.Duration }

type calendarDay struct {
	works bool
	name  string
}

// WorkingHours are agencies' hours where nothing else is said.
var WorkingHours = []string{"07:30-11:30", "13:30-17:00"}

// longestBreak is more days than agencies are ever closed in a row; a calendar
// with more is a mistake, and nothing waits for its end.
const longestBreak = 60

// NewCalendar is the calendar of Vietnamese agencies, with hours such as
// "07:30-11:30"; none: WorkingHours. What more says goes before what is built in;
// it has the form of calendar.txt. nil: nothing more is said.
func NewCalendar(hours []string, more io.Reader) (*Calendar, error) {
	if len(hours) == 0 {
		hours = WorkingHours
	}
	c := &Calendar{every: map[string]string{}, days: map[string]calendarDay{}, announced: map[string]bool{}}
	for _, text := range hours {
		s, err := spanOf(text)
		if err != nil {
			return nil, err
		}
		if n := len(c.hours); n > 0 && s.from < c.hours[n-1].to {
			return nil, fmt.Errorf("the hours %q begin before those ahead of them end", text)
		}
		c.hours = append(c.hours, s)
	}
	if err := c.read(strings.NewReader(holidays)); err != nil {
		return nil, fmt.Errorf("the calendar that is built in: %w", err)
	}
	if more == nil {
		return c, nil
	}
	return c, c.read(more)
}

func spanOf(text string) (span, error) {
	from, to, _ := strings.Cut(text, "-")
	begin, err1 := time.Parse("15:04", strings.TrimSpace(from))
	end, err2 := time.Parse("15:04", strings.TrimSpace(to))
	if err1 != nil || err2 != nil || !begin.Before(end) {
		return span{}, fmt.Errorf("%q are no hours such as 07:30-11:30", text)
	}
	midnight := begin.Truncate(24 * time.Hour)
	return span{begin.Sub(midnight), end.Sub(midnight)}, nil
}

func (c *Calendar) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if err := c.line(strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (c *Calendar) line(text string) error {
	if text == "" || text[0] == '#' {
		return nil
	}
	word, rest, _ := strings.Cut(text, " ")
	date, name, _ := strings.Cut(strings.TrimSpace(rest), " ")
	name = strings.TrimSpace(name)
	switch word {
	case "every":
		if _, err := time.Parse(time.DateOnly, "2024-"+date); err != nil {
			return fmt.Errorf("%q is no day of a year such as 09-02", date)
		}
		c.every[date] = name
	case "year":
		if _, err := strconv.Atoi(date); err != nil || len(date) != 4 {
			return fmt.Errorf("%q is no year", date)
		}
		c.announced[date] = true
	case "off", "work":
		return c.period(date, calendarDay{works: word == "work", name: name})
	default:
		return fmt.Errorf("%q is none of: every, off, work, year", word)
	}
	return nil
}

func (c *Calendar) period(dates string, as calendarDay) error {
	first, last, two := strings.Cut(dates, "..")
	if !two {
		last = first
	}
	from, err1 := time.Parse(time.DateOnly, first)
	to, err2 := time.Parse(time.DateOnly, last)
	if err1 != nil || err2 != nil || to.Before(from) || to.Sub(from) >= longestBreak*24*time.Hour {
		return fmt.Errorf("%q is neither a day such as 2026-02-16 nor a period such as 2026-02-16..2026-02-20", dates)
	}
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		c.days[day.Format(time.DateOnly)] = as
	}
	return nil
}

// Announced reports whether the days of a year are those that were announced, and
// not computed.
func (c *Calendar) Announced(year int) bool { return c.announced[strconv.Itoa(year)] }

// Working reports whether agencies work on the day of a moment.
func (c *Calendar) Working(at time.Time) bool {
	day := at.In(Vietnam)
	if named, ok := c.days[day.Format(time.DateOnly)]; ok {
		return named.works
	}
	if _, off := c.every[day.Format("01-02")]; off {
		return false
	}
	return day.Weekday() != time.Saturday && day.Weekday() != time.Sunday
}

// Add is the moment by which agencies have worked for so long after another.
func (c *Calendar) Add(from time.Time, d time.Duration) time.Time {
	at, day := from.In(Vietnam), midnight(from)
	for idle := 0; idle < longestBreak; day = day.AddDate(0, 0, 1) {
		if !c.Working(day) {
			idle++
			continue
		}
		idle = 0
		for _, s := range c.hours {
			begin, end := day.Add(s.from), day.Add(s.to)
			if at.Before(begin) {
				at = begin
			}
			if left := end.Sub(at); left >= d {
				return at.Add(d)
			} else if left > 0 {
				d, at = d-left, end
			}
		}
	}
	return from.Add(d)
}

// EndOfDay is the end of the working day of a moment; of the next one, if the
// moment is after hours or on a day off.
func (c *Calendar) EndOfDay(at time.Time) time.Time {
	end := func(day time.Time) time.Time { return day.Add(c.hours[len(c.hours)-1].to) }
	if day := midnight(at); c.Working(day) && at.Before(end(day)) {
		return end(day)
	}
	return end(c.next(at))
}

// NextNoon is the end of the morning of the working day after that of a moment.
func (c *Calendar) NextNoon(at time.Time) time.Time { return c.next(at).Add(c.hours[0].to) }

// DayLength is how long agencies work a day.
func (c *Calendar) DayLength() (sum time.Duration) {
	for _, s := range c.hours {
		sum += s.to - s.from
	}
	return sum
}

// next is midnight before the first working day after the day of a moment.
func (c *Calendar) next(at time.Time) time.Time {
	day := midnight(at).AddDate(0, 0, 1)
	for range longestBreak {
		if c.Working(day) {
			break
		}
		day = day.AddDate(0, 0, 1)
	}
	return day
}

func midnight(at time.Time) time.Time {
	at = at.In(Vietnam)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, Vietnam)
}
