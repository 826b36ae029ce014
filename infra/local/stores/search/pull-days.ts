// Who pulled what on which days: the sums that the catalogue is read from, so that the cost of reading it depends on
// the number of repositories, not of pulls. Rows of `pull_days` are added and removed with the other sums (sums.ts).
//
//   pull_days     one row per user, repository and UTC day with a pull of `taughtClasses`
//   popularity    for each repository: how many users, and how many such rows
//   newest_days   for each repository and day: how many users pulled it last on that day
export const catalogueTables = `
  CREATE TABLE pull_days (user TEXT, repository TEXT, day INTEGER, PRIMARY KEY (user, repository, day)) WITHOUT ROWID;
  CREATE TABLE popularity (repository TEXT PRIMARY KEY, people INTEGER, days INTEGER) WITHOUT ROWID;
  CREATE TABLE newest_days (
    day INTEGER, repository TEXT, people INTEGER, PRIMARY KEY (day, repository)) WITHOUT ROWID;`;
