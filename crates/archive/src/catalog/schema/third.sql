-- Version 3: clips, which are stretches of recordings. Those of before are not known as such: their files do not tell it.
ALTER TABLE recordings ADD COLUMN is_clip INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segments ADD COLUMN is_clip INTEGER NOT NULL DEFAULT 0;
