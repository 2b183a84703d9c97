-- What the first version of the schema looks like in use; a step of the migration that changes it would lose histories.
PRAGMA user_version = 1;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    history_id TEXT NOT NULL,
    last_id INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    is_orderly INTEGER NOT NULL
) STRICT;
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    time INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    summary TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_time ON alerts (time);
INSERT INTO state VALUES (1, 'a', 7, 12, 1);
INSERT INTO alerts VALUES (7, 12, 2, 1763800000000012, 3, 'syn-scan', '198.51.100.66', 'SYN scan of 1000 TCP ports', '{"seq":12,"revision":2,"phase":"escalated","packets":1996,"contacts":1000,"ports":"22-25,80","targets":["198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10","198.51.100.10"],"sources":[],"protocol":"tcp","first_seen":1763799990000000,"last_seen":1763800000000000,"action":"dropped","origin":"kernel","attribution":"plausible","tool":"nmap","signatures":["nmap-os-ecn: Nmap OS detection x3"],"attack":["T1046"],"interface":"eth0","prefix":"DROP \\x1b[2J","mac":"52:54:00:00:00:42","delivery":"popup","why":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…","advice":""}');
