using System.Text;
using OrdersStream.Configuration;
using OrdersStream.Postgres;

namespace OrdersStream.Doctor;

/// <summary>What a table lacks, as statements for its owner, and what the pipeline's role lacks, for a superuser.</summary>
internal sealed class StreamSql(PostgresOptions options, TableShape shape, SourceTable? table)
{
    private readonly StringBuilder text = new();

    /// <summary>Begins with a comment; where nothing is lacking it has no statement.</summary>
    public string Text()
    {
        var time = shape.Time ?? TableShape.UsualTime;
        text.Append("-- What table ").Append(shape.Name.ReplaceLineEndings(" "))
            .Append(" lacks for its stream. By psql, as the table's owner; roles and their rights as a superuser.\n");
        if (shape.IsTimeMissing)
            Add("No column tells when a row was changed. Rows that are there are taken to be of now.",
                $"ALTER TABLE {shape.Name} ADD COLUMN {time} timestamptz NOT NULL DEFAULT now();");
        if (table is not { Trigger.Counts: true } && (shape.IsTimeMissing || shape.HasZone)) AddTrigger(time);
        if (table is not { HasTimestampIndex: true })
            Add("Polls read by this order. Of a large table that is written to: CREATE INDEX CONCURRENTLY.",
                $"CREATE INDEX ON {shape.Name} ({string.Join(", ", shape.Key.Prepend(time).Distinct().Select(Quoted))});");
        AddRole();
        return text.ToString();
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
            Add($"Then give it a password, where it logs in by one: \\password {role}", $"CREATE ROLE {role} LOGIN;");
        var grants = new List<string>();
        if (!rights.UsesSchema) grants.Add($"GRANT USAGE ON SCHEMA {Quoted(options.Schema)} TO {role};");
        if (!rights.ReadsTable) grants.Add($"GRANT SELECT ON {shape.Name} TO {role};");
        if (!rights.SeesSessions) grants.Add($"GRANT pg_read_all_stats TO {role};");
        if (grants.Count > 0)
            Add("The role reads the table, sees when others' transactions began, and may do nothing else.", string.Join('\n', grants));
    }

    private void Add(string why, string statements) => text.Append("\n-- ").Append(why).Append('\n').Append(statements).Append('\n');

    private static string Quoted(string name) => Sql.Identifier(name);
}
