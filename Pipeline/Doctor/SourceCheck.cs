using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;

namespace OrdersStream.Doctor;

/// <summary>The server, the role and the table, by the same reading of them that capture begins with.</summary>
internal sealed class SourceCheck(
    PipelineOptions options, Func<string, ILakeFiles> openFiles, TimeProvider time, FindingList findings)
{
    private static readonly TimeSpan ClocksDifferMax = TimeSpan.FromSeconds(5), OpenTooLong = TimeSpan.FromHours(1);
    private static readonly TimeSpan PasswordEndsSoon = TimeSpan.FromDays(30);

    /// <summary>A poll, a look through a pool, the audit and a status may be connected at once.</summary>
    private const int ConnectionsLeast = 4;

    private readonly PostgresOptions postgres = options.Postgres;

    /// <returns>Which table it is; null: it cannot be told.</returns>
    public async Task<SourceIdentity?> RunAsync(CancellationToken cancellationToken)
    {
        await using var connection = await findings.TryAsync(
            "postgres", () => SourceConnection.OpenAsync(postgres, cancellationToken), cancellationToken);
        if (connection is null)
        {
            findings.Unknown("table", "table, trigger, index and rights were not looked at", "let Postgres be reached first");
            return null;
        }
        var facts = await findings.TryAsync("postgres", () => SourceFacts.ReadAsync(connection, cancellationToken), cancellationToken);
        if (facts is not null) JudgeFacts(facts);
        var server = await findings.TryAsync("postgres", () => SourceServer.ReadAsync(connection, cancellationToken), cancellationToken);
        if (server is not null)
            findings.Add(
                "open transactions", server.Warnings(postgres), "the role sees when others' transactions began (pg_read_all_stats)");
        var table = await findings.TryAsync(
            "table", () => SourceCatalog.ReadAsync(connection, postgres, cancellationToken), cancellationToken);
        if (table is not null) await JudgeTableAsync(connection, table, cancellationToken);
        var activity = await findings.TryAsync(
            "sessions", () => SourceActivity.ReadAsync(connection, options.PublisherName, table?.Oid ?? 0, cancellationToken),
            cancellationToken);
        if (activity is not null) JudgeActivity(activity);
        return server is null || table is null ? null : server.IdentityOf(postgres, table.Oid);
    }

    private void JudgeFacts(SourceFacts facts)
    {
        findings.Good("postgres",
            $"version {facts.Version} at {postgres.Address}, as {postgres.User}; no pooler between that would take the session away");
        if (facts.Encryption is { } encryption) findings.Good("encryption", $"{encryption}, sslmode {postgres.Sslmode}");
        else if (postgres.IsUnixSocket || IsLoopback) findings.Good("encryption", "none, and the server is this machine's own");
        else findings.Warn(new("encryption",
                "the connection is not encrypted: the rows can be read, and the server be another's", "postgres.sslmode: verify-full"));
        foreach (var name in facts.NotDurable)
            findings.Warn(new("durability",
                $"{name} is off: after a crash the server may lack rows, or have others, that the lake has (verify finds them)",
                $"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"));
        if (facts.NotDurable.IsEmpty)
            findings.Good("durability", "fsync and full_page_writes are on; commits are captured once they are on the server's disk");
        if (facts.ConnectionLimit is >= 0 and < ConnectionsLeast)
            findings.Warn(new("role",
                $"role {postgres.User} may have {facts.ConnectionLimit} connections, and capture, audit and status need up to "
                + $"{ConnectionsLeast} at once", $"ALTER ROLE {Sql.Identifier(postgres.User)} CONNECTION LIMIT -1"));
        if (facts.PasswordUntil is { } until && until - time.GetUtcNow().UtcDateTime < PasswordEndsSoon)
            findings.Warn(new("role",
                string.Create(CultureInfo.InvariantCulture, $"the password of role {postgres.User} is valid until {until:yyyy-MM-dd}"),
                $"ALTER ROLE {Sql.Identifier(postgres.User)} VALID UNTIL 'infinity'"));
        findings.Good("role settings", facts.Overridden.IsEmpty
            ? "role and database set nothing that a session of the pipeline would have to set otherwise"
            : $"role and database set {string.Join(", ", facts.Overridden)}: the pipeline's own sessions set them for themselves");
    }

    private async Task JudgeTableAsync(NpgsqlConnection connection, SourceTable table, CancellationToken cancellationToken)
    {
        var order = table.Schema.Columns[table.Schema.TimestampColumn];
        findings.Good("table",
            $"{table.QualifiedName}: {table.Schema.Columns.Length} columns, key {table.Key}, ordered by {order.Name} "
            + $"({order.Type.PostgresName}); row security hides nothing");
        if (table.Trigger.Counts) findings.Good("trigger", $"{table.Trigger.Name} sets {order.Name} from the clock for every writer");
        foreach (var warning in table.Warnings()) findings.Warn(warning);
        if (findings.Try("folders", () => StorableFolders.Check(options.Datalake, openFiles, table.Schema)))
            findings.Good("folders", $"rows can be divided by datalake.partition_by {options.Datalake.PartitionBy}");
        if (!await MayReadAsync(connection, table, cancellationToken)) return;
        if (table.HasTimestampIndex && await findings.TryAsync(
            "index", () => WindowIndex.ReadWholeAsync(connection, table, time.GetUtcNow().UtcDateTime, cancellationToken),
            cancellationToken) is { } whole)
            findings.Add("index", whole.All.Select(name => new Advice("index",
                $"{name} has no index that a poll can use, so each one reads it whole",
                $"CREATE INDEX ON {name} ({table.Timestamp}, {table.Key})")),
                $"by the server's plan a poll reads only what is new of {order.Name}");
        var infinite = await findings.TryAsync<object>(
            "columns", async () => await InfiniteValues.FindAsync(connection, table, postgres, cancellationToken), cancellationToken);
        if (infinite is ImmutableArray<string> columns && InfiniteValues.Warning(columns) is { } advice) findings.Warn(advice);
    }

    private async Task<bool> MayReadAsync(NpgsqlConnection connection, SourceTable table, CancellationToken cancellationToken)
    {
        try
        {
            await table.TryReadAsync(connection, cancellationToken);
            findings.Good("privileges", "the role may read all columns that are carried");
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            var role = Sql.Identifier(postgres.User);
            findings.Fail("privileges", FailurePolicy.Judge(e).Problem,
                $"GRANT USAGE ON SCHEMA {Sql.Identifier(postgres.Schema)} TO {role}; GRANT SELECT ON {table.QualifiedName} TO {role}");
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable)
        {
            findings.Unknown(
                "privileges", "somebody is changing the table, and has it locked: nothing was read", "ask again when he has done");
        }
        return false;
    }

    private void JudgeActivity(SourceActivity activity)
    {
        var ahead = activity.Clock - time.GetUtcNow().UtcDateTime;
        if (ahead.Duration() > ClocksDifferMax)
            findings.Warn(new("clocks",
                string.Create(CultureInfo.InvariantCulture,
                    $"the server's clock is {ahead.Duration().TotalSeconds:0} s {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} ")
                + "this machine's: "
                + "lags are shown wrong, and halves on two machines seem dead to one another",
                "have both follow the same time server (timedatectl set-ntp true)"));
        else findings.Good("clocks", "the server's clock and this machine's agree");
        if (activity.Oldest is { } oldest && oldest.Seconds > OpenTooLong.TotalSeconds)
            findings.Warn(new("open transactions",
                $"the oldest is {oldest}: each poll reads back as far as its beginning",
                oldest.Pid is { } pid
                    ? $"SELECT pg_terminate_backend({pid})" : "COMMIT PREPARED or ROLLBACK PREPARED what pg_prepared_xacts shows"));
        if (activity.Hidden is { } hidden)
            findings.Warn(new("open transactions",
                $"{hidden} does not show when it began: until it ends each poll reads as far back as the last one before it",
                hidden.Pid is { } pid ? $"SELECT pg_terminate_backend({pid})" : "end it"));
        findings.Good("poller", activity.Poller is { } p
            ? $"session {p.Pid} ({p.Application}) captures the table now" : "nobody captures the table now");
    }

    private bool IsLoopback => postgres.Host is "localhost" || (IPAddress.TryParse(postgres.Host, out var ip) && IPAddress.IsLoopback(ip));
}
