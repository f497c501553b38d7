-- What structured records hold beside level and message.

-- A JSON object, bounded; NULL: nothing.
ALTER TABLE events ADD COLUMN fields TEXT;
