-- What several workers share: the order of jobs, heartbeats, units that have ended, stored configurations.

-- The order in which jobs were accepted. Whoever accepts or claims a job updates this line first, so that on every
-- database they do it one after the other.
INSERT INTO counters (name, value) VALUES ('job', 0);

-- Place in the order of acceptance; of two jobs of one configuration the lesser runs first.
ALTER TABLE jobs ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
-- What makes a second delivery of the same request known.
ALTER TABLE jobs ADD COLUMN idempotency_key TEXT;
-- When it was accepted, an hour earlier for a high priority and an hour later for a low one: the order of claims.
ALTER TABLE jobs ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;
-- Not to be claimed before this time: a retry waits.
ALTER TABLE jobs ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN attempts_max BIGINT NOT NULL DEFAULT 1;
-- Attempts that count against attempts_max.
ALTER TABLE jobs ADD COLUMN attempts_used BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN is_cancel_asked BIGINT NOT NULL DEFAULT 0;
-- Of the stored configuration, the newest when the job was accepted: every attempt runs the same.
ALTER TABLE jobs ADD COLUMN configuration_version BIGINT;
-- Where the result document is to be sent.
ALTER TABLE jobs ADD COLUMN reply_to TEXT;
ALTER TABLE jobs ADD COLUMN correlation_id TEXT;
-- Whether those who wait for the end were told of it; nobody waits for jobs that their own process runs.
ALTER TABLE jobs ADD COLUMN is_told BIGINT NOT NULL DEFAULT 1;

CREATE UNIQUE INDEX jobs_by_key ON jobs (idempotency_key);
-- Claims look at the few that wait, and at what else is open of their configurations.
CREATE INDEX jobs_waiting ON jobs (rank, number) WHERE status = 'waiting';
CREATE INDEX jobs_open ON jobs (component, configuration, number) WHERE ended IS NULL;
CREATE INDEX jobs_untold ON jobs (ended) WHERE is_told = 0 AND ended IS NOT NULL;
CREATE INDEX jobs_by_status ON jobs (status, code);

-- Names the call that took the attempt, so that a call whose answer was lost finds what it did.
ALTER TABLE attempts ADD COLUMN ticket TEXT;
-- 1: its worker was declared lost, and may publish nothing any more.
ALTER TABLE attempts ADD COLUMN is_lost BIGINT NOT NULL DEFAULT 0;

-- Workers that are signed on.
CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    host TEXT NOT NULL,
    started BIGINT NOT NULL,
    -- Counts heartbeats. Observers see whether it moves, by their own clocks.
    beat BIGINT NOT NULL
);

-- Units (rows) of jobs that have ended, so that no later attempt runs or publishes them again.
CREATE TABLE unit_ends (
    job TEXT NOT NULL REFERENCES jobs (id),
    unit BIGINT NOT NULL,
    -- How it failed; both NULL: its outputs are published.
    code TEXT,
    message TEXT,
    PRIMARY KEY (job, unit)
);

-- Configurations that jobs may name; every version stays.
CREATE TABLE configurations (
    component TEXT NOT NULL,
    id TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- As it was put, YAML or JSON.
    document TEXT NOT NULL,
    note TEXT,
    created BIGINT NOT NULL,
    PRIMARY KEY (component, id, version)
);

-- The commits of the last days, so that one whose answer was lost finds whether it happened.
CREATE TABLE commits (
    -- The commit's time.
    time BIGINT NOT NULL PRIMARY KEY,
    ticket TEXT NOT NULL
);
