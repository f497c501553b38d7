-- The subset of SQL that SQLite and PostgreSQL share. Times are microseconds since 1970 in UTC, flags are 0 or 1,
-- lists are JSON arrays of text, bitmaps are roaring's portable format.

-- Numbers that are given out once and never again, whatever is deleted: 'table', 'slice', 'file'. And the clock of
-- commits, 'commit_time': every commit takes a later microsecond than the one before, whatever the machine's clock does,
-- so that "imported after" is exact.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    -- The last one given out.
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('table', 0), ('slice', 0), ('file', 0), ('commit_time', 0);

-- One line per table name that ever was. The line of a dropped table stays, so that a table made again under its name
-- goes on counting versions and "version 3" is never two things.
CREATE TABLE tables (
    id BIGINT NOT NULL PRIMARY KEY,
    -- stage.bucket.name
    name TEXT NOT NULL UNIQUE,
    -- The current version; NULL: the table is dropped. What append and upsert compare and set.
    head BIGINT,
    -- The highest version number given out.
    last_version BIGINT NOT NULL,
    -- When the table was first made, or made again after a drop.
    first_created BIGINT NOT NULL,
    -- What the last load that said something about it said.
    description TEXT
);

-- The states of a table. A forgotten one stays as a line, because the receipt of its job is rebuilt from here.
CREATE TABLE versions (
    table_id BIGINT NOT NULL REFERENCES tables (id),
    version BIGINT NOT NULL,
    -- The commit's time.
    created BIGINT NOT NULL,
    columns TEXT NOT NULL,
    -- Columns of the primary key in the order declared; an empty list for none.
    primary_key TEXT NOT NULL,
    -- Of the whole table.
    row_count BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    -- replace, append or upsert.
    load TEXT NOT NULL,
    -- The job that made it; NULL for an import by hand. No reference: a job may be forgotten before its tables are.
    job TEXT,
    -- Its place in the commit, for the receipt's order.
    position BIGINT NOT NULL,
    -- Of this load, for the receipt.
    rows_loaded BIGINT NOT NULL,
    rows_deleted BIGINT NOT NULL,
    bytes_loaded BIGINT NOT NULL,
    -- When retention or a drop let its slices go; NULL: it can be read.
    forgotten BIGINT,
    PRIMARY KEY (table_id, version)
);
-- Receipts of a job.
CREATE INDEX versions_by_job ON versions (job, created, position);

-- Objects that hold rows. A version holds the slices with added_version <= version < removed_version, in the order of
-- their ids: so a load writes its own slices and not the table's list.
CREATE TABLE slices (
    id BIGINT NOT NULL PRIMARY KEY,
    table_id BIGINT NOT NULL REFERENCES tables (id),
    added_version BIGINT NOT NULL,
    -- The first version without it; the largest BIGINT while none is, so that one range finds a version's slices.
    removed_version BIGINT NOT NULL,
    -- Key of the CSV file in the blob store.
    blob TEXT NOT NULL,
    -- Key of the index of its primary keys (of the key that the head has), when one was made.
    key_index TEXT,
    -- The header line.
    columns TEXT NOT NULL,
    -- In the file, deleted ones included.
    row_count BIGINT NOT NULL,
    byte_count BIGINT NOT NULL,
    -- 16 bytes, the most significant first.
    checksum BYTEA NOT NULL,
    -- The commit's time: what changed_since compares.
    imported BIGINT NOT NULL
);
-- The slices of a head or of a late version, without those that went long ago.
CREATE INDEX slices_by_table ON slices (table_id, removed_version, added_version);

-- Rows that versions no longer have. For a version the line with the greatest from_version up to it holds; no line: all
-- rows of the slice are there.
CREATE TABLE deletions (
    slice BIGINT NOT NULL REFERENCES slices (id) ON DELETE CASCADE,
    from_version BIGINT NOT NULL,
    -- Ordinals of all rows deleted so far.
    bitmap BYTEA NOT NULL,
    PRIMARY KEY (slice, from_version)
);

-- Named, tagged blobs outside tables.
CREATE TABLE files (
    id BIGINT NOT NULL PRIMARY KEY,
    blob TEXT NOT NULL,
    name TEXT NOT NULL,
    byte_count BIGINT NOT NULL,
    -- Kept until somebody removes it; others go with retention.
    is_permanent BIGINT NOT NULL,
    is_public BIGINT NOT NULL,
    -- The commit's time.
    created BIGINT NOT NULL,
    -- The job that made it; NULL for one put by hand.
    job TEXT
);
-- Receipts of a job.
CREATE INDEX files_by_job ON files (job, id);

-- What files are found by.
CREATE TABLE file_tags (
    file BIGINT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    -- Tags are given back in the order they came in.
    position BIGINT NOT NULL,
    PRIMARY KEY (file, tag)
);
CREATE INDEX file_tags_by_tag ON file_tags (tag, file);

-- What a component asked to be told at its next run.
CREATE TABLE states (
    component TEXT NOT NULL,
    configuration TEXT NOT NULL,
    -- Empty for the configuration's own state; no row's id is empty, and a primary key takes no NULL.
    row_id TEXT NOT NULL,
    -- The complete document, JSON.
    document TEXT NOT NULL,
    -- The commit's time.
    updated BIGINT NOT NULL,
    PRIMARY KEY (component, configuration, row_id)
);

-- Requests to run a component.
CREATE TABLE jobs (
    -- UUIDv7.
    id TEXT NOT NULL PRIMARY KEY,
    component TEXT NOT NULL,
    configuration TEXT,
    -- What was asked for, JSON.
    request TEXT NOT NULL,
    -- waiting, processing, or how it ended.
    status TEXT NOT NULL,
    -- The current attempt; 0 before the first. Whoever comes with another one has lost its lease.
    attempt BIGINT NOT NULL,
    created BIGINT NOT NULL,
    -- When the first attempt was claimed.
    started BIGINT,
    ended BIGINT,
    -- Stable failure code, when it failed.
    code TEXT,
    -- For the person who configured it.
    message TEXT,
    -- The result document, JSON; grows while the job runs.
    result TEXT,
    -- Key of the complete log in the blob store.
    log TEXT
);
-- Newest first.
CREATE INDEX jobs_by_time ON jobs (created, id);

-- Tries at a job.
CREATE TABLE attempts (
    job TEXT NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL,
    worker TEXT NOT NULL,
    -- Where it is, or was when it was last heard of.
    phase TEXT NOT NULL,
    started BIGINT NOT NULL,
    -- NULL: not finished, as far as anybody knows.
    ended BIGINT,
    -- Where its data folder lies, so that the sweep can clear it.
    data_folder TEXT,
    PRIMARY KEY (job, number)
);
-- The sweep looks at the few that are open.
CREATE INDEX attempts_open ON attempts (started) WHERE ended IS NULL;

-- What was said about a job, masked.
CREATE TABLE events (
    job TEXT NOT NULL REFERENCES jobs (id),
    -- Order within the job.
    sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    level TEXT NOT NULL,
    -- stdout, stderr or runner.
    source TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job, sequence)
);
