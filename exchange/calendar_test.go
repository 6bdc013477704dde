package exchange_test

import (
	"strings"
	"testing"
	"time"

	"tram/exchange"
)

// here is a moment in Việt Nam.
func here(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, time.FixedZone("UTC+7", 7*60*60))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func calendar(t testing.TB, more string) *exchange.Calendar {
	t.Helper()
	c, err := exchange.NewCalendar(nil, strings.NewReader(more))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWorkingDays(t *testing.T) {
	t.Parallel()
	c := calendar(t, "# của tỉnh\nwork 2027-02-11 làm bù\noff 2026-12-01..2026-12-02 lễ hội\n")
	for day, want := range map[string]bool{
		"2026-11-20": true, "2026-11-21": false, "2026-11-22": false, // Friday to Sunday
		"2026-11-24": false, // off since 2026
		"2025-11-24": true,
		"2026-01-01": false, "2026-01-02": false, "2026-01-10": true, // a Saturday, for the 2nd
		"2026-02-13": true, "2026-02-16": false, "2026-02-20": false, "2026-02-23": true, // Tết
		"2026-04-26": false, "2026-04-27": false, "2026-04-28": true,
		"2026-08-22": true, "2026-08-31": false, "2026-09-01": false, "2026-09-02": false, "2026-09-03": true,
		"2025-04-26": true, "2025-05-02": false,
		"2027-02-04": true, "2027-02-10": false, "2027-02-11": true, // the province's file goes before
		"2026-12-01": false, "2026-12-02": false, "2026-12-03": true,
	} {
		if got := c.Working(here(t, day+" 00:00")); got != want {
			t.Errorf("%s: working %v, want %v", day, got, want)
		}
		if got := c.Working(here(t, day+" 23:59").UTC()); got != want {
			t.Errorf("the end of %s, in UTC: working %v, want %v", day, got, want)
		}
	}
	if !c.Announced(2026) || c.Announced(2027) {
		t.Error("the days of 2026 were announced, those of 2027 are computed")
	}
}

func TestWorkingTime(t *testing.T) {
	t.Parallel()
	c := calendar(t, "")
	for _, test := range []struct {
		from string
		d    time.Duration
		want string
	}{
		{"2026-11-20 08:00", time.Hour, "2026-11-20 09:00"},
		{"2026-11-20 06:00", time.Hour, "2026-11-20 08:30"},                    // before the doors open
		{"2026-11-20 11:00", time.Hour, "2026-11-20 14:00"},                    // over noon
		{"2026-11-20 10:30", time.Hour, "2026-11-20 11:30"},                    // to its end
		{"2026-11-20 12:00", time.Hour, "2026-11-20 14:30"},                    // at noon
		{"2026-11-20 16:30", time.Hour, "2026-11-23 08:00"},                    // over a weekend
		{"2026-11-20 20:00", time.Hour, "2026-11-23 08:30"},                    // at night
		{"2026-11-23 16:45", time.Hour, "2026-11-25 08:15"},                    // over a day off
		{"2026-02-13 16:30", time.Hour, "2026-02-23 08:00"},                    // over Tết
		{"2026-08-21 16:30", time.Hour, "2026-08-22 08:00"},                    // into a Saturday that is worked
		{"2026-11-19 09:00", 7*time.Hour + 30*time.Minute, "2026-11-20 09:00"}, // a working day
		{"2026-11-18 09:00", 15 * time.Hour, "2026-11-20 09:00"},
		{"2026-11-20 08:00", 0, "2026-11-20 08:00"},
	} {
		if got := c.Add(here(t, test.from).UTC(), test.d); !got.Equal(here(t, test.want)) {
			t.Errorf("%s after %s is %s, want %s", test.d, test.from, got.Format("2006-01-02 15:04"), test.want)
		}
	}
	if c.DayLength() != 7*time.Hour+30*time.Minute {
		t.Errorf("a day has %s", c.DayLength())
	}
	for from, want := range map[string]string{
		"2026-11-20 08:00": "2026-11-20 17:00", "2026-11-20 16:59": "2026-11-20 17:00", "2026-11-20 17:00": "2026-11-23 17:00",
		"2026-11-21 10:00": "2026-11-23 17:00", "2026-02-14 01:00": "2026-02-23 17:00", "2026-08-21 18:00": "2026-08-22 17:00",
	} {
		if got := c.EndOfDay(here(t, from).UTC()); !got.Equal(here(t, want)) {
			t.Errorf("the working day of %s ends %s, want %s", from, got, want)
		}
	}
	for from, want := range map[string]string{
		"2026-11-20 00:00": "2026-11-23 11:30", "2026-11-23 16:00": "2026-11-25 11:30", "2026-02-13 10:00": "2026-02-23 11:30", "2026-11-18 23:00": "2026-11-19 11:30",
	} {
		if got := c.NextNoon(here(t, from).UTC()); !got.Equal(here(t, want)) {
			t.Errorf("the noon after %s is %s, want %s", from, got, want)
		}
	}
}

func TestCalendarsThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"\noff 2026-02-30 x": "line 2", "off 2026-03-02..2026-03-01 x": "2026-03-01", "holiday 2026-01-01": "holiday",
		"every 13-01 x": "13-01", "off 2026-01-01..2026-12-31 x": "2026-12-31", "year 26": "26",
	} {
		if _, err := exchange.NewCalendar(nil, strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q in it", text, err, want)
		}
	}
	for _, hours := range [][]string{{"8-12"}, {"12:00-08:00"}, {"08:00-12:00", "11:00-17:00"}, {""}} {
		if _, err := exchange.NewCalendar(hours, nil); err == nil {
			t.Errorf("%q are taken for hours", hours)
		}
	}
	c, err := exchange.NewCalendar([]string{"07:00-11:00", "13:00-17:00"}, nil)
	if err != nil || c.DayLength() != 8*time.Hour {
		t.Errorf("hours of one's own: %v, %v", c, err)
	}
	if all := calendar(t, "off 2026-03-01..2026-04-20 x\noff 2026-04-21..2026-06-10 x\n"); !all.Add(here(t, "2026-03-02 08:00"), time.Hour).Equal(here(t, "2026-03-02 09:00")) {
		t.Error("a calendar without working days does not come to an end")
	}
}
