using System.Text.Json;
using OrdersStream.Configuration;
using OrdersStream.Durable;

namespace OrdersStream.Audit;

/// <summary>What the last whole round of the standing audit found.</summary>
/// <param name="BegunAt">When it began.</param>
/// <param name="EndedAt">When it ended: all that was captured before it began was compared by then.</param>
/// <param name="Rows">Rows of the table.</param>
/// <param name="Equal">Rows that are in the lake as they are.</param>
/// <param name="OnTheWay">Rows that were not due: they changed while they were compared, or were deleted.</param>
/// <param name="Missing">Captured, and not in the lake.</param>
/// <param name="Stale">The lake's newest version is not the table's.</param>
/// <param name="Extra">In the lake and not in the table.</param>
/// <param name="StoredTwice">Offsets of the topic that are in the lake more than once.</param>
/// <param name="Requested">Of the missing and stale ones, those that capture was asked to publish again.</param>
/// <param name="Unmended">Those that were published again by the round before, and differ as they did.</param>
public sealed record AuditFindings(
    DateTimeOffset BegunAt, DateTimeOffset EndedAt, long Rows, long Equal, long OnTheWay, long Missing, long Stale, long Extra,
    long StoredTwice, long Requested, long Unmended)
{
    /// <summary>
    /// Versions that the commit log has and the lake's files have not, and that nobody has accepted as lost. Those that were superseded
    /// nothing mends, so they are no difference of lake and table.
    /// </summary>
    public long Lost { get; init; }

    /// <summary>Extra rows that nobody asked to be published as deleted, though deletes of the table are captured.</summary>
    public long ExtraUnasked { get; init; }

    /// <summary>
    /// The first and the last range of the table's keys with rows that are missing or stale; null: there is none, or this was read back
    /// from the file, which does not keep them.
    /// </summary>
    public (int First, int Last)? DifferingRanges { get; init; }

    /// <summary>The key's indexes may be in another order than is searched by: rows may have been passed over.</summary>
    public bool IsOrderInDoubt { get; init; }

    /// <summary>Nothing but what may be extra differs, and rows may have been passed over: whether all are equal was not seen.</summary>
    public bool CannotBeTold => IsOrderInDoubt && Differences == Extra;

    /// <summary>Row versions in files that lie in another folder than their rows belong in.</summary>
    public long Misplaced { get; init; }

    /// <summary>From its beginning to its end.</summary>
    public TimeSpan Took => EndedAt - BegunAt;

    /// <summary>Rows, or offsets, that are not as they should be.</summary>
    public long Differences => Missing + Stale + Extra + StoredTwice + Misplaced;

    /// <summary>The table has rows, and not one was due: nothing was seen to be equal.</summary>
    public bool ComparedNothing => Rows > 0 && Compared == 0 && Differences == 0;

    /// <summary>Rows of the table that were due.</summary>
    public long Compared => Equal + Missing + Stale;
}

/// <summary>Where the standing audit is.</summary>
/// <param name="Last">The last whole round; null: there was none yet.</param>
/// <param name="RequestedInAll">Rows that capture was asked to publish again, in the stream's life.</param>
/// <param name="FailedAt">When a round was first broken off since the last whole one; null: none was.</param>
/// <param name="Failure">What broke the last one off.</param>
public sealed record AuditState(AuditFindings? Last, long RequestedInAll = 0, DateTimeOffset? FailedAt = null, string? Failure = null)
{
    /// <summary>
    /// Rounds, one after the other and the last among them, that found rows missing or stale. One that found the rest of what came about
    /// while the round before it went on is none of them.
    /// </summary>
    public int DifferingRounds { get; init; }

    /// <summary>
    /// The first range that differed in the last round: what changed while that one went on it found from there on, and the next one
    /// finds the rest, before. Null: none differed, or that was such a rest, and another is not believed.
    /// </summary>
    public int? RestIsBefore { get; init; }

    /// <summary>Why the last round did not publish as deleted what is extra, though it may; null: it did, or there was none.</summary>
    public HeldDeletes? DeletesHeld { get; init; }

    /// <summary>Versions that the lake's files have lost, and that a human has accepted as lost.</summary>
    public long LostAccepted { get; init; }

    /// <summary>
    /// When the round began that is under way, or was when its process ended; null: the last one came to its end, or was broken off.
    /// </summary>
    public DateTimeOffset? RoundBegunAt { get; init; }

    /// <summary>
    /// Since when it has been tried to bring a round to its end, whatever processes came and went: the first one is waited for since the
    /// audit first ran, a later one since it began first. Null: none is due.
    /// </summary>
    public DateTimeOffset? AwaitedSince { get; init; }

    /// <summary>
    /// How long the last round of the standing audit took, at its share of the time; null: as long as <see cref="Last"/> did, which is one.
    /// </summary>
    public TimeSpan? RoundTook { get; init; }

    /// <summary>About how many rows the table had when that round began; null: the server did not know.</summary>
    public long? RowsAbout { get; init; }

    /// <summary>What is to be kept when a round has come to its end.</summary>
    /// <param name="found">What it found, and whatever is lost, also what was accepted as lost.</param>
    /// <param name="deletesHeld">Why it did not publish as deleted what is extra; null: it did, or is not to.</param>
    internal AuditState Next(AuditFindings found, HeldDeletes? deletesHeld)
    {
        var differs = found.Missing + found.Stale > 0;
        var isRest = found.DifferingRanges?.Last < RestIsBefore;
        // As far as it is lost still: what was put back was not lost.
        var accepted = Math.Min(LostAccepted, found.Lost);
        return new(found with { Lost = found.Lost - accepted }, RequestedInAll + found.Requested)
        {
            DifferingRounds = !differs ? 0 : isRest ? DifferingRounds : DifferingRounds + 1,
            RestIsBefore = isRest ? null : found.DifferingRanges?.First,
            DeletesHeld = deletesHeld,
            LostAccepted = accepted,
        };
    }

    /// <summary>
    /// What is to be kept when a round of the audit has come to its end. Who repaired while it went on knows more than it does; one whose
    /// clock was ahead does not.
    /// </summary>
    /// <returns>Null: what is known is newer than what the round found.</returns>
    /// <inheritdoc cref="Next"/>
    internal AuditState? Behind(AuditFindings found, HeldDeletes? deletesHeld) =>
        Last is { } newer && newer.BegunAt > found.BegunAt && newer.EndedAt <= found.EndedAt ? null : Next(found, deletesHeld);

    /// <summary>A round has come to its end, of which only how long it took is to be kept, and what it asked for.</summary>
    internal AuditState Overtaken(AuditFindings found) => new(Last, RequestedInAll + found.Requested)
    {
        DifferingRounds = DifferingRounds, RestIsBefore = RestIsBefore, DeletesHeld = DeletesHeld, LostAccepted = LostAccepted,
        RoundTook = found.Took, RowsAbout = RowsAbout,
    };

    /// <summary>So much longer than it should take a round may, so that an outage of a night is none of the audit.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromDays(1);

    /// <summary>How long the first one takes nobody knows.</summary>
    internal static readonly TimeSpan FirstRoundMax = TimeSpan.FromDays(14);

    /// <summary>
    /// For so long no round has come to its end that what was found tells nothing any more, whatever the reason: rounds that are broken
    /// off, that hang, or that no process lives long enough for (invariant 11).
    /// </summary>
    /// <param name="now">The clock.</param>
    /// <param name="interval">Between two rounds.</param>
    public bool IsOverdue(DateTimeOffset now, TimeSpan interval)
    {
        if (Last is { } last)
        {
            // While nobody captured, none was due.
            var due = last.EndedAt + interval;
            return now - (AwaitedSince > due ? AwaitedSince.Value : due) > Grace + 2 * Growth(last) * (RoundTook ?? last.Took);
        }
        if (FailedAt is { } failed && RoundBegunAt is null && now - failed > interval + Grace) return true;
        return AwaitedSince is { } since && now - since > interval + FirstRoundMax;
    }

    /// <summary>A table that has grown since takes longer.</summary>
    private double Growth(AuditFindings last) => Math.Max(1, (RowsAbout ?? 0) / Math.Max(1.0, last.Rows));
}

/// <summary>
/// That state, beside the watermark file, for whoever shows it. It is found anew with each round: a file that cannot be read is none.
/// </summary>
public sealed class AuditStateFile(PipelineOptions options, CrashPoints crashPoints)
{
    private const int FormatVersion = 1;

    public string Path { get; } = System.IO.Path.Combine(options.Streaming.LastProcessedTimestampLocation, "audit.json");

    /// <returns>Null: there is none, or none that can be read.</returns>
    public AuditState? Read()
    {
        try
        {
            using var document = StateEnvelope.Open(File.ReadAllBytes(Path), FormatVersion, options.StreamName, isSealed: true);
            return StateOf(document.RootElement);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or FormatException or KeyNotFoundException
            or InvalidOperationException)
        {
            return null;
        }
    }

    internal void Write(AuditState state) => DurableFile.Replace(
        Path,
        StateEnvelope.Seal(FormatVersion, options.StreamName, json => WriteTo(json, state)), crashPoints.Before(CrashPoint.AuditWritten));

    private static AuditState StateOf(JsonElement root) => new(
        root.TryGetProperty("last", out var last) ? FindingsOf(last) : null,
        root.GetProperty("requestedInAll").GetInt64(),
        root.TryGetProperty("failedAt", out var failedAt) ? failedAt.GetDateTimeOffset() : null,
        root.TryGetProperty("failure", out var failure) ? failure.GetString() : null)
    {
        DifferingRounds = root.TryGetProperty("differingRounds", out var rounds) ? rounds.GetInt32() : 0,
        RestIsBefore = root.TryGetProperty("restIsBefore", out var rest) ? rest.GetInt32() : null,
        DeletesHeld = root.TryGetProperty("deletesHeld", out var held) ? HeldOf(held.GetString()!, root) : null,
        RoundBegunAt = root.TryGetProperty("roundBegunAt", out var begun) ? begun.GetDateTimeOffset() : null,
        LostAccepted = root.TryGetProperty("lostAccepted", out var accepted) ? accepted.GetInt64() : 0,
        AwaitedSince = root.TryGetProperty("awaitedSince", out var since) ? since.GetDateTimeOffset() : null,
        RoundTook = root.TryGetProperty("roundTookSeconds", out var took) ? TimeSpan.FromSeconds(took.GetDouble()) : null,
        RowsAbout = root.TryGetProperty("rowsAbout", out var about) ? about.GetInt64() : null,
    };

    // Earlier versions did not keep the remedy, and the next round does.
    private static HeldDeletes HeldOf(string why, JsonElement root) =>
        new(why, root.TryGetProperty("deletesRemedy", out var remedy) ? remedy.GetString()! : "See what the next round says of it.");

    private static AuditFindings FindingsOf(JsonElement last)
    {
        long Number(string name) => last.GetProperty(name).GetInt64();
        return new(
            last.GetProperty("begunAt").GetDateTimeOffset(), last.GetProperty("endedAt").GetDateTimeOffset(), Number("rows"),
            Number("equal"), Number("onTheWay"), Number("missing"), Number("stale"), Number("extra"), Number("storedTwice"),
            Number("requested"), Number("unmended"))
        {
            Lost = Later("lost"), ExtraUnasked = Later("extraUnasked"), Misplaced = Later("misplaced"),
            IsOrderInDoubt = last.TryGetProperty("isOrderInDoubt", out var inDoubt) && inDoubt.GetBoolean(),
        };

        // What earlier versions did not look for.
        long Later(string name) => last.TryGetProperty(name, out var number) ? number.GetInt64() : 0;
    }

    private static void WriteTo(Utf8JsonWriter json, AuditState state)
    {
        json.WriteNumber("requestedInAll", state.RequestedInAll);
        if (state.FailedAt is { } failedAt) json.WriteString("failedAt", failedAt);
        if (state.Failure is { } failure) json.WriteString("failure", failure);
        if (state.RoundBegunAt is { } begun) json.WriteString("roundBegunAt", begun);
        if (state.AwaitedSince is { } since) json.WriteString("awaitedSince", since);
        if (state.RoundTook is { } took) json.WriteNumber("roundTookSeconds", took.TotalSeconds);
        if (state.RowsAbout is { } about) json.WriteNumber("rowsAbout", about);
        json.WriteNumber("differingRounds", state.DifferingRounds);
        if (state.RestIsBefore is { } rest) json.WriteNumber("restIsBefore", rest);
        if (state.DeletesHeld is { } held)
        {
            json.WriteString("deletesHeld", held.Why);
            json.WriteString("deletesRemedy", held.Remedy);
        }
        if (state.LostAccepted > 0) json.WriteNumber("lostAccepted", state.LostAccepted);
        if (state.Last is not { } last) return;
        json.WriteStartObject("last");
        json.WriteString("begunAt", last.BegunAt);
        json.WriteString("endedAt", last.EndedAt);
        json.WriteNumber("rows", last.Rows);
        json.WriteNumber("equal", last.Equal);
        json.WriteNumber("onTheWay", last.OnTheWay);
        json.WriteNumber("missing", last.Missing);
        json.WriteNumber("stale", last.Stale);
        json.WriteNumber("extra", last.Extra);
        json.WriteNumber("storedTwice", last.StoredTwice);
        json.WriteNumber("requested", last.Requested);
        json.WriteNumber("unmended", last.Unmended);
        json.WriteNumber("lost", last.Lost);
        json.WriteNumber("extraUnasked", last.ExtraUnasked);
        json.WriteNumber("misplaced", last.Misplaced);
        if (last.IsOrderInDoubt) json.WriteBoolean("isOrderInDoubt", true);
        json.WriteEndObject();
    }
}
