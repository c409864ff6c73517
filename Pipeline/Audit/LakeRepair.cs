using System.Collections.Immutable;
using Npgsql;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;

namespace OrdersStream.Audit;

/// <summary>
/// Mends the lake from any process: it asks the poller, whichever process that is, to publish rows again. Nothing in the table is touched,
/// and nobody but the poller publishes.
/// </summary>
public sealed class LakeRepair
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    /// <summary>How long requests may wait for their first row, before it is said that nobody takes them up.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly PipelineOptions options;
    private readonly LakeArrival arrival;
    private readonly Func<string, ILakeFiles> openFiles;
    private readonly RepairRequests requests;
    private readonly AuditStateFile state;
    private readonly TimeProvider time;
    private readonly List<string> asked = [];

    internal LakeRepair(
        PipelineOptions options, LakeArrival arrival, Func<string, ILakeFiles> openFiles, CrashPoints crashPoints, TimeProvider time)
    {
        (this.options, this.arrival, this.openFiles, this.time) = (options, arrival, openFiles, time);
        requests = new RepairRequests(options, crashPoints);
        state = new AuditStateFile(options, crashPoints);
    }

    /// <summary>Who captures the table; null: nobody does.</summary>
    public async Task<string?> PollerAsync(CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        return await PollerLock.HolderAsync(connection, options.PublisherName, cancellationToken);
    }

    /// <summary>Why what only the lake has is not published as deleted; null: it is.</summary>
    public string? DeletesHeld { get; private set; }

    /// <summary>Compares the whole table with the lake once, and asks for what differs.</summary>
    /// <param name="isDry">Asks for nothing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>What was found, and is being asked for.</returns>
    /// <exception cref="PipelineException">The lake stays behind the topic, or cannot be compared.</exception>
    public async Task<AuditFindings> FindAsync(bool isDry, CancellationToken cancellationToken)
    {
        if (new WatermarkFile(options).Read()?.Horizon is null)
            throw new PipelineException(FailureAction.Stop,
                "Nothing of the table was captured whole yet, so nothing can be missing.", "Run PostgresToKafka first.");
        await arrival.WaitAsync(Patience, cancellationToken);
        var begunAt = time.GetUtcNow();
        var round = new AuditRound(options, arrival, openFiles, isDry ? null : Ask)
        {
            Reason = "repair", IsOfAllDeletes = true, IsCaptured = await PollerAsync(cancellationToken) is not null,
            LostAccepted = state.Read()?.LostAccepted ?? 0,
        };
        await foreach (var pause in round.StepsAsync(cancellationToken)) await Task.Delay(pause, time, cancellationToken);
        DeletesHeld = round.DeletesHeld?.Why;
        return round.FindingsOf(begunAt, time.GetUtcNow());
    }

    /// <summary>Asks for rows whatever the lake has of them.</summary>
    /// <param name="first">The first key, a text for each of its columns; null: the table's first.</param>
    /// <param name="last">The last key; null: the table's last.</param>
    /// <param name="from">Least value of the ordering column; null: any.</param>
    /// <param name="to">The ordering column is below it; null: any.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>Some rows of this part count as deleted (<c>postgres.deleted_when</c>), and are not published.</returns>
    /// <exception cref="PipelineException">These are no keys of the table, or it has none of these rows.</exception>
    public async Task<bool> RecaptureAsync(
        ImmutableArray<string>? first, ImmutableArray<string>? last, DateTime? from, DateTime? to, CancellationToken cancellationToken)
    {
        await using var connection = await SourceConnection.OpenAsync(options.Postgres, cancellationToken);
        var table = await SourceCatalog.ReadAsync(connection, options.Postgres, cancellationToken);
        foreach (var key in (ImmutableArray<string>?[])[first, last])
            if (key is { } texts) await CheckAsync(connection, table, texts, cancellationToken);
        var rows = new RowSelection { FirstKey = first, LastKey = last, From = from, To = to };
        var hasMarked = table.DeletedWhen is not null && await HasAnyAsync(table.IsMarked);
        // What is published again are rows that count: of others nothing would be, and it would be said that they were.
        if (!await HasAnyAsync(table.IsLiving))
            throw new PipelineException(
                FailureAction.Stop, $"No row of {table.QualifiedName} is in this part: nothing was asked for.",
                hasMarked
                    ? "Its rows there count as deleted (postgres.deleted_when): 'repair' publishes as deleted those that the lake has."
                    : "Give keys, or times of its ordering column, that the table has.");
        Ask(new RepairRequest("recapture", rows, table.Order));
        return hasMarked;

        async Task<bool> HasAnyAsync(string only)
        {
            var conditions = string.Join(" AND ", rows.Conditions(table).Prepend(only));
            await using var command = new NpgsqlCommand(
                $"SELECT EXISTS (SELECT FROM {table.QualifiedName} WHERE {conditions})", connection);
            return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
    }

    /// <summary>Waits until the poller has published all that is asked for.</summary>
    /// <returns>False: nobody takes the requests up; they stay.</returns>
    public async Task<bool> UntilPublishedAsync(CancellationToken cancellationToken)
    {
        var (seen, since) = ("", time.GetTimestamp());
        while (requests.Waiting() is { Count: > 0 } waiting)
        {
            // A request shows how far it is by being written anew.
            var now = string.Join('\n', waiting.Select(f => $"{f} {File.GetLastWriteTimeUtc(f).Ticks}"));
            if (now != seen) (seen, since) = (now, time.GetTimestamp());
            if (time.GetElapsedTime(since) > Patience) return false;
            await Task.Delay(Pause, time, cancellationToken);
        }
        return true;
    }

    /// <summary>
    /// Keeps that lake and table were seen to be equal, in the place of what the audit's last round found: that is mended, and whoever
    /// shows it need not wait for the next one.
    /// </summary>
    /// <param name="compared">A comparison of the whole table.</param>
    /// <param name="begunAt">When it began.</param>
    /// <param name="requested">Rows that were published again before it.</param>
    /// <param name="acceptsLost">From now on it is known that the lake's files have lost what they have.</param>
    /// <returns>What is known now.</returns>
    public ComparisonResult Keep(ComparisonResult compared, DateTimeOffset begunAt, long requested, bool acceptsLost)
    {
        if (compared is not { OfPresentRows: ComparisonVerdict.Equal, IsPart: false }) return compared;
        if (acceptsLost) compared = compared with { Lost = 0, LostAccepted = compared.Lost + compared.LostAccepted };
        var found = new AuditFindings(
            begunAt, time.GetUtcNow(), compared.TableRows, compared.Equal, compared.OnTheWay, 0, 0, 0, 0, 0, 0)
        {
            Lost = compared.Lost + compared.LostAccepted,
        };
        var before = state.Read() ?? new(null);
        before = before with { RequestedInAll = before.RequestedInAll + requested, LostAccepted = compared.LostAccepted };
        // It goes as fast as it can: how long a round of the audit takes it does not tell.
        var took = before.RoundTook ?? before.Last?.Took ?? AuditState.FirstRoundMax;
        if (!found.ComparedNothing) state.Write(before.Next(found, deletesHeld: null) with { RoundTook = took });
        return compared;
    }

    /// <summary>Of what was asked for here, the requests that the poller could not do, where they are kept.</summary>
    public IReadOnlyList<string> SetAside => [.. asked.Select(RepairRequests.SetAside).OfType<string>()];

    /// <summary>Those that wait for it, and where.</summary>
    public IReadOnlyList<string> Waiting => [.. asked.Where(File.Exists)];

    private string Ask(RepairRequest request)
    {
        var file = requests.Add(request, time.GetUtcNow());
        asked.Add(file);
        return file;
    }

    private async Task CheckAsync(
        NpgsqlConnection connection, SourceTable table, ImmutableArray<string> key, CancellationToken cancellationToken)
    {
        var columns = table.Schema.KeyColumns.Length;
        if (key.Length != columns)
            throw new PipelineException(
                FailureAction.Stop, $"A key of {table.QualifiedName} has {columns} columns, and {key.Length} values were given.",
                $"Give the values of {table.Key}, with commas between them.");
        try
        {
            await table.ReadKeyAsync(connection, key, cancellationToken);
        }
        catch (PostgresException e)
        {
            throw new PipelineException(
                FailureAction.Stop, $"What was given is no key of {table.QualifiedName} ({e.SqlState}).",
                $"Give values of {table.Key} as Postgres writes them.");
        }
    }
}
