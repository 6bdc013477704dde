// Package directory reads and writes lists of agencies as people and other hubs keep
// them: CSV as spreadsheets write it, and JSON, ours or that of the national axis's
// getAgenciesList and getSynchronizeUnit, in which units name the one in charge by
// its identifier.
//
// Read tells what is in a list, not whether it is right: that is the exchange's to
// say. A list that cannot be understood is an error with its line.
package directory
