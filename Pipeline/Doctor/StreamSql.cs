using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Postgres;

namespace OrdersStream.Doctor;

/// <summary>What a table lacks, as statements for its owner, and what the pipeline's role lacks, for a superuser.</summary>
internal sealed class StreamSql(PostgresOptions options, TableShape shape, SourceTable? table)
{
    private const int NameBytesMax = 63;

    private readonly StringBuilder text = new();

    /// <summary>Begins with a comment; where nothing is lacking it has no statement.</summary>
    public string Text()
    {
        var time = shape.Time;
        text.Append("-- What table ").Append(shape.Name.ReplaceLineEndings(" "))
            .Append(" lacks for its stream. By psql, as the table's owner; roles and their rights as a superuser.\n");
        if (shape.IsTimeMissing)
            Add("No column tells when a row was changed. Rows that are there are taken to be of now.",
                $"ALTER TABLE {shape.Name} ADD COLUMN {time} timestamptz NOT NULL DEFAULT now();");
        if (table is not { Trigger.Counts: true } && (shape.IsTimeMissing || shape.HasZone)) AddTrigger(time);
        if (table is not { HasTimestampIndex: true })
            Add("Polls read by this order. Of a large table that is written to: CREATE INDEX CONCURRENTLY.",
                $"CREATE INDEX ON {shape.Name} ({string.Join(", ", shape.Key.Prepend(time).Distinct().Select(Quoted))});");
        if (options.Deletes == "trigger" && shape.Rights.KeepsDeletes is null) AddDeletes();
        AddRole();
        return text.ToString();
    }

    private string DeletesName => options.Table + TombstoneTable.Suffix;

    private string Deletes => $"{Quoted(options.Schema)}.{Quoted(DeletesName)}";

    /// <summary>What keeps the table of deletes from being made.</summary>
    private string? WhyNoDeletes =>
        Encoding.UTF8.GetByteCount(DeletesName) is > NameBytesMax and var bytes
            ? $"its name, {DeletesName.ReplaceLineEndings(" ")}, would have {bytes} bytes, and Postgres allows {NameBytesMax}"
            : Array.Find(shape.Key, k => k is TombstoneTable.Number or TombstoneTable.Time) is { } taken
                ? $"the key's column {taken} has the name of one of its own" : null;

    private void AddDeletes()
    {
        if (WhyNoDeletes is { } why)
        {
            text.Append("\n-- Deletes are not captured by triggers: for the table that they write to, ").Append(why)
                .Append(". postgres.deletes: audit\n-- finds them without.\n");
            return;
        }
        var columns = string.Join(", ", shape.Key.Zip(shape.KeyTypes, (name, type) => $"{Quoted(name)} {type} NOT NULL"));
        var names = string.Join(", ", shape.Key.Select(Quoted));
        var old = string.Join(", ", shape.Key.Select(k => $"OLD.{Quoted(k)}"));
        // Equal keys may read otherwise (1 and 1.00), and are two keys to the lake then.
        var isOther = string.Join(" OR ", shape.Key.Select(Quoted).Select(k =>
            $"OLD.{k} IS DISTINCT FROM NEW.{k} OR OLD.{k}::text COLLATE \"C\" IS DISTINCT FROM NEW.{k}::text COLLATE \"C\""));
        var level = "pg_catalog.current_setting('transaction_isolation')";
        Add("Keys of rows that are gone, which the pipeline reads, and removes a day after they are published. TRUNCATE is refused\n"
            + "-- where it would remove rows that its transaction does not see.",
            $"""
            CREATE TABLE {Deletes} (
                {TombstoneTable.Number} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns},
                {TombstoneTable.Time} timestamptz NOT NULL);
            CREATE INDEX ON {Deletes} ({TombstoneTable.Time});
            CREATE FUNCTION {Deletes}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            BEGIN
                IF TG_OP = 'TRUNCATE' THEN
                    IF {level} NOT IN ('read committed', 'read uncommitted') THEN
                        RAISE EXCEPTION 'TRUNCATE of % in a transaction of level % is refused', TG_TABLE_NAME, {level}
                            USING HINT = 'It removes rows that its snapshot does not show. Use level READ COMMITTED, or DELETE.';
                    END IF;
                    INSERT INTO {Deletes} ({names}, {TombstoneTable.Time}) SELECT {names}, pg_catalog.clock_timestamp() FROM {shape.Name};
                ELSE
                    INSERT INTO {Deletes} ({names}, {TombstoneTable.Time}) VALUES ({old}, pg_catalog.clock_timestamp());
                END IF;
                RETURN NULL;
            END
            $$;
            CREATE TRIGGER orders_stream_delete AFTER DELETE ON {shape.Name} FOR EACH ROW EXECUTE FUNCTION {Deletes}();
            CREATE TRIGGER orders_stream_key AFTER UPDATE ON {shape.Name} FOR EACH ROW
                WHEN ({isOther}) EXECUTE FUNCTION {Deletes}();
            CREATE TRIGGER orders_stream_truncate BEFORE TRUNCATE ON {shape.Name} FOR EACH STATEMENT EXECUTE FUNCTION {Deletes}();
            ALTER TABLE {shape.Name} ENABLE ALWAYS TRIGGER orders_stream_delete;
            ALTER TABLE {shape.Name} ENABLE ALWAYS TRIGGER orders_stream_key;
            ALTER TABLE {shape.Name} ENABLE ALWAYS TRIGGER orders_stream_truncate;
            """);
    }

    private void AddTrigger(string time)
    {
        // Triggers fire in the order of their names: the last one that sets the column counts.
        var (function, trigger) = (
            $"{Quoted(options.Schema)}.{Quoted($"orders_stream_set_{time}")}", Quoted($"zz_orders_stream_set_{time}"));
        Add("Sets it from the clock whatever a client says, so that no row is older than its transaction.",
            $"""
            CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                NEW.{Quoted(time)} := pg_catalog.clock_timestamp();
                RETURN NEW;
            END
            $$;
            CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {shape.Name} FOR EACH ROW EXECUTE FUNCTION {function}();
            ALTER TABLE {shape.Name} ENABLE ALWAYS TRIGGER {trigger};
            """);
    }

    private void AddRole()
    {
        var (rights, role) = (shape.Rights, Quoted(shape.Rights.Role));
        if (!rights.Exists)
            Add((rights.Nearest is { } near ? $"There is no such role; there is {near.ReplaceLineEndings(" ")}. " : "")
                + $"Then give it a password, where it logs in by one: \\password {role}", $"CREATE ROLE {role} LOGIN;");
        var grants = new List<string>();
        if (!rights.UsesSchema) grants.Add($"GRANT USAGE ON SCHEMA {Quoted(options.Schema)} TO {role};");
        if (!rights.ReadsTable) grants.Add($"GRANT SELECT ON {shape.Name} TO {role};");
        if (options.Deletes == "trigger" && rights.KeepsDeletes is not true && (rights.KeepsDeletes is false || WhyNoDeletes is null))
            grants.Add($"GRANT SELECT, DELETE ON {Deletes} TO {role};");
        if (!rights.SeesSessions) grants.Add($"GRANT pg_read_all_stats TO {role};");
        if (grants.Count > 0)
            Add("The role reads the table, sees when others' transactions began, and may do nothing else.", string.Join('\n', grants));
    }

    private void Add(string why, string statements) => text.Append("\n-- ").Append(why).Append('\n').Append(statements).Append('\n');

    private static string Quoted(string name) => Sql.Identifier(name);
}
