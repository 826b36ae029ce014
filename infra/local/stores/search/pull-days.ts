// Who pulled what on which days: the sums that the catalogue is read from, so that reading it costs as much as there are
// repositories, however many pulls there were. Rows of `pull_days` come and go with the other sums (sums.ts); the rest follows
// by triggers.
//
//   pull_days     one row a user, repository and UTC day with a pull that teaches
//   popularity    of each repository: how many users, and how many such rows
//   newest_days   of each repository and day: how many users pulled it last on that day
const own = (row: string, which: string) =>
  `pull_days WHERE user = ${row}.user AND repository = ${row}.repository AND day ${which} ${row}.day`;

export const catalogueTables = `
  CREATE TABLE pull_days (user TEXT, repository TEXT, day INTEGER, PRIMARY KEY (user, repository, day)) WITHOUT ROWID;
  CREATE TABLE popularity (repository TEXT PRIMARY KEY, people INTEGER, days INTEGER) WITHOUT ROWID;
  CREATE TABLE newest_days (
    day INTEGER, repository TEXT, people INTEGER, PRIMARY KEY (day, repository)) WITHOUT ROWID;`;

export const catalogueTriggers = `
  CREATE TRIGGER day_added AFTER INSERT ON pull_days BEGIN
    INSERT INTO popularity VALUES (NEW.repository, NOT EXISTS (SELECT 1 FROM ${own('NEW', '<>')}), 1)
      ON CONFLICT DO UPDATE SET people = people + excluded.people, days = days + 1;
    UPDATE newest_days SET people = people - 1 WHERE repository = NEW.repository
      AND day = (SELECT MAX(day) FROM ${own('NEW', '<')}) AND NOT EXISTS (SELECT 1 FROM ${own('NEW', '>')});
    INSERT INTO newest_days SELECT NEW.day, NEW.repository, 1 WHERE NOT EXISTS (SELECT 1 FROM ${own('NEW', '>')})
      ON CONFLICT DO UPDATE SET people = people + 1;
  END;
  CREATE TRIGGER day_removed AFTER DELETE ON pull_days BEGIN
    UPDATE popularity SET people = people - NOT EXISTS (SELECT 1 FROM ${own('OLD', '<>')}), days = days - 1
      WHERE repository = OLD.repository;
    UPDATE newest_days SET people = people - 1
      WHERE day = OLD.day AND repository = OLD.repository AND NOT EXISTS (SELECT 1 FROM ${own('OLD', '>')});
    INSERT INTO newest_days SELECT MAX(day), repository, 1 FROM ${own('OLD', '<')}
      AND NOT EXISTS (SELECT 1 FROM ${own('OLD', '>')}) GROUP BY repository
      ON CONFLICT DO UPDATE SET people = people + 1;
  END;`;
