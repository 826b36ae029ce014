// Who pulled what on which days: the sums that the catalogue is read from, so that reading it costs as much as there are
// repositories, however many pulls there were. Rows of `pull_days` come and go with the other sums (sums.ts).
//
//   pull_days     one row a user, repository and UTC day with a pull that teaches
//   popularity    of each repository: how many users, and how many such rows
//   newest_days   of each repository and day: how many users pulled it last on that day
export const catalogueTables = `
  CREATE TABLE pull_days (user TEXT, repository TEXT, day INTEGER, PRIMARY KEY (user, repository, day)) WITHOUT ROWID;
  CREATE TABLE popularity (repository TEXT PRIMARY KEY, people INTEGER, days INTEGER) WITHOUT ROWID;
  CREATE TABLE newest_days (
    day INTEGER, repository TEXT, people INTEGER, PRIMARY KEY (day, repository)) WITHOUT ROWID;`;
