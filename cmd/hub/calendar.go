package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"tram/exchange"
)

// calendarConfig says when agencies work.
type calendarConfig struct {
	// File has days off, and working days in place of them, beside those that are
	// built in, and goes before them: lines such as "off 2027-02-05..2027-02-11 Tết"
	// and "work 2027-02-20 làm bù". Absent: those that are built in.
	File string `yaml:"file"`
	// Hours are the working hours in UTC+7; absent: 07:30-11:30, 13:30-17:00.
	Hours []string `yaml:"hours"`
}

func (c *calendarConfig) validate(wrong func(key, what string)) {
	if _, err := exchange.NewCalendar(c.Hours, nil); err != nil {
		wrong("calendar.hours", "is wrong: "+err.Error())
	}
}

// open reads the calendar.
func (c *calendarConfig) open() (*exchange.Calendar, error) {
	if c.File == "" {
		return exchange.NewCalendar(c.Hours, nil)
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("calendar.file: %w", err)
	}
	calendar, err := exchange.NewCalendar(c.Hours, strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("calendar.file: %s: %w", c.File, err)
	}
	return calendar, nil
}

// calendarAhead is how long before a year begins its days off should be known.
const calendarAhead = 31 * 24 * time.Hour

// checkCalendar tells when the days off of this year, or of one that begins soon,
// are only computed. That is no warning: the hub does its work all the same.
func checkCalendar(cfg config, now time.Time) []finding {
	calendar, err := cfg.Calendar.open()
	if err != nil {
		return []finding{{What: "calendar", State: "failed", Detail: err.Error(), Do: "correct the file, or its path in " + cfg.path}}
	}
	for _, at := range []time.Time{now, now.Add(calendarAhead)} {
		if year := at.In(exchange.Vietnam).Year(); !calendar.Announced(year) {
			return []finding{{What: "calendar", State: "ok", Detail: fmt.Sprintf("the days off of %d are not the announced ones yet; alerts and reports may count a day wrongly", year),
				Do: fmt.Sprintf("put them into a file for calendar.file in %s, with a line \"year %d\"", cfg.path, year)}}
		}
	}
	return []finding{{What: "calendar", State: "ok", Detail: "the days off of this year are known"}}
}
