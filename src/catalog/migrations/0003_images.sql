-- Which image a reference means: what a registry once answered, kept so that nobody needs to ask again.
CREATE TABLE image_locks (
    -- As it is asked for, always with a tag or a digest.
    reference TEXT NOT NULL,
    -- release or master. Both may run one reference, and only master's moves.
    policy TEXT NOT NULL,
    -- sha256:… as the registry knows it; NULL for an image that never saw one.
    digest TEXT,
    -- The image's id on the engine that had it first.
    image TEXT NOT NULL,
    -- Under whose name the registry has shown it; NULL: it was here already and nobody asked.
    access TEXT,
    resolved BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (reference, policy)
);
