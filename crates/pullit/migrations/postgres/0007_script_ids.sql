-- Scripts may give their own ids. A sequence that does not know of them would give the same ids again, later.

-- Moves the sequence of a table past an id that was given by hand. Two scripts at once take turns, or the smaller id would win.
CREATE FUNCTION pullit_follow_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('pullit_follow_id'), TG_RELID::integer);
    PERFORM setval(TG_ARGV[0]::regclass, NEW.id)
        -- Far above, it would leave no room for the ids to come.
        WHERE NEW.id > coalesce(pg_sequence_last_value(TG_ARGV[0]::regclass), 0) AND NEW.id < 1::bigint << 62;
    RETURN NEW;
END
$$;

-- For a table whose ids are given by default. The condition is asked of each new row without calling the function: an id that the
-- sequence has given is never above it.
CREATE FUNCTION pullit_follow_ids_of(followed regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ids text := pg_get_serial_sequence(followed::text, 'id');
    highest bigint;
BEGIN
    EXECUTE format('SELECT max(id) FROM %s', followed) INTO highest;
    PERFORM setval(ids::regclass, highest)
        WHERE highest < 1::bigint << 62 AND highest > coalesce(pg_sequence_last_value(ids::regclass), 0);
    EXECUTE format(
        'CREATE TRIGGER pullit_follow_id BEFORE INSERT ON %s FOR EACH ROW
         WHEN (NEW.id > coalesce(pg_sequence_last_value(%L::regclass), 0))
         EXECUTE FUNCTION pullit_follow_id(%L)', followed, ids, ids);
END
$$;

DO $$
DECLARE
    followed regclass;
BEGIN
    FOR followed IN
        SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema()))::oid AND c.relkind = 'r'
          AND a.attname = 'id' AND a.attidentity <> ''
          AND c.relname IN ('member', 'source', 'question_set', 'question', 'marking_result', 'learn_stats_daily',
                            'outbox_event', 'outbox_audit', 'notification', 'job_run', 'work_item', 'refresh_token')
        ORDER BY c.relname
    LOOP
        PERFORM pullit_follow_ids_of(followed);
    END LOOP;
END
$$;
