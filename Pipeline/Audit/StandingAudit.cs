using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.Extensions.Logging;
using OrdersStream.Capture;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;
using OrdersStream.Postgres;

namespace OrdersStream.Audit;

/// <summary>
/// The pipeline compares lake and table by itself, one round after the other, and asks for what differs to be published again. It runs
/// where the table is captured, on a connection of its own and beside the polls, which it never holds up; and it works for a share of the
/// time only, so that neither server is kept busy by it.
/// </summary>
public sealed class StandingAudit
{
    /// <summary>What ended by a failure is tried again after this.</summary>
    internal static TimeSpan RetryAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Nothing is compared before a process has run for so long.</summary>
    private static readonly TimeSpan FirstAfter = TimeSpan.FromMinutes(1);

    /// <summary>While it may not begin.</summary>
    private static readonly TimeSpan LooksEvery = TimeSpan.FromSeconds(1);

    private readonly PipelineOptions options;
    private readonly Func<Watermark?> position;
    private readonly LakeArrival arrival;
    private readonly Func<string, ILakeFiles> openFiles;
    private readonly RepairRequests requests;
    private readonly AuditStateFile file;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly TimeSpan interval;
    private (long Since, TimeSpan For) waits;
    private string? announced;
    private bool isAwaited;
    private AskedRows asked = new();
    private AuditRound? underWay;

    /// <param name="options">The stream's configuration.</param>
    /// <param name="position">Where capture has got to in this process; null: it is not the poller.</param>
    /// <param name="arrival">Knows whether the lake has what the topic had.</param>
    /// <param name="openFiles">Opens where the lake and its commit log lie.</param>
    /// <param name="crashPoints">Those of the process.</param>
    /// <param name="metrics">What is measured of the stream: a round's age and findings are a part of it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Takes a line a round.</param>
    internal StandingAudit(
        PipelineOptions options, Func<Watermark?> position, LakeArrival arrival, Func<string, ILakeFiles> openFiles,
        CrashPoints crashPoints, PipelineMetrics metrics, TimeProvider time, ILogger logger)
    {
        (this.options, this.position, this.arrival, this.openFiles) = (options, position, arrival, openFiles);
        (this.time, this.logger) = (time, logger);
        requests = new RepairRequests(options, crashPoints);
        file = new AuditStateFile(options, crashPoints);
        interval = TimeSpan.FromSeconds(options.Audit.Interval);
        metrics.Meter.CreateObservableGauge("orders_stream.audit.age", Age, "s", "How long ago the last whole round of the audit ended.");
        metrics.Meter.CreateObservableGauge(
            "orders_stream.audit.differences", Differences, "{row}", "Rows that it found not to be as they should, by kind.");

        metrics.Meter.CreateObservableGauge(
            "orders_stream.audit.overdue", Overdue, null, "1: none of its rounds has come to its end for too long.");
        metrics.Meter.CreateObservableGauge(
            "orders_stream.audit.differing_rounds", DifferingRounds, "{round}",
            "How many of the last rounds, one after the other, found rows missing or stale.");

        Measurement<double>[] Age() =>
            Now()?.Last is { } last ? [new((time.GetUtcNow() - last.EndedAt).TotalSeconds, metrics.StreamTags)] : [];

        Measurement<int>[] Overdue() =>
            Now() is { } state ? [new(state.IsOverdue(time.GetUtcNow(), interval) ? 1 : 0, metrics.StreamTags)] : [];

        Measurement<int>[] DifferingRounds() => Now() is { } state ? [new(state.DifferingRounds, metrics.StreamTags)] : [];

        // Where it is switched off no round is to come any more, and the last one's findings stay as they are.
        AuditState? Now() => options.Audit.IsEnabled ? file.Read() : null;

        Measurement<long>[] Differences() => Now()?.Last is not { } last ? [] :
        [
            new(last.Missing, [.. metrics.StreamTags, new("kind", "missing")]),
            new(last.Stale, [.. metrics.StreamTags, new("kind", "stale")]),
            new(last.Extra, [.. metrics.StreamTags, new("kind", "extra")]),
            new(last.StoredTwice, [.. metrics.StreamTags, new("kind", "stored_twice")]),
            new(last.Misplaced, [.. metrics.StreamTags, new("kind", "misplaced")]),
            new(last.Lost, [.. metrics.StreamTags, new("kind", "lost")]),
        ];
    }

    /// <summary>Where it is, in whatever process it runs; null: nothing was written yet, or nothing that can be read.</summary>
    public AuditState? Read() => file.Read();

    /// <summary>Round after round, until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (!options.Audit.IsEnabled) return;
        Wait(interval < FirstAfter ? interval : FirstAfter);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(LooksEvery, time, cancellationToken);
                if (IsDue()) await RoundAsync(cancellationToken);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                // What a client says that is cut off is no failure.
            }
            catch (Exception e)
            {
                BrokenOff(e);
            }
        }
    }

    // What was asked for is published first: it would be found, and asked for, again.
    private bool IsDue()
    {
        // Before anything was published there is nothing to compare with.
        if (time.GetElapsedTime(waits.Since) < waits.For || position() is not { Horizon: not null, Rows: > 0 }) return false;
        AwaitFirst();
        if (requests.Waiting().Count > 0) return false;
        // Of a process before, or of another that captured meanwhile. A clock that was set back since must not silence it.
        var age = file.Read()?.Last is { } last ? time.GetUtcNow() - last.EndedAt : interval;
        if (age >= interval || age < TimeSpan.Zero) return true;
        Wait(interval - age);
        return false;
    }

    /// <summary>Before the round itself: this process may end in it, and so may the next.</summary>
    private void AwaitFirst()
    {
        if (isAwaited) return;
        var state = file.Read() ?? new(null);
        if (state is { Last: null, AwaitedSince: null }) file.Write(state with { AwaitedSince = time.GetUtcNow() });
        isAwaited = true;
    }

    /// <summary>As time goes by, whatever the clock is set to.</summary>
    private void Wait(TimeSpan forLong) => waits = (time.GetTimestamp(), forLong);

    private void BrokenOff(Exception failure)
    {
        var verdict = FailurePolicy.Judge(failure);
        Wait(RetryAfter);
        if (verdict.Problem != announced) logger.AuditBrokenOff(verdict.Problem, verdict.Remedy);
        announced = verdict.Problem;
        try
        {
            var state = file.Read() ?? new(null);
            file.Write(state with
            {
                FailedAt = state.FailedAt ?? time.GetUtcNow(), Failure = verdict.Problem, RoundBegunAt = null,
                // What it had asked for by then is published all the same.
                RequestedInAll = state.RequestedInAll + (underWay?.Requested ?? 0),
            });
            if (underWay is { Requested: > 0 }) asked = underWay.Asked;
            underWay = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Capture writes to the same folder, and says what is wrong with it.
        }
    }

    private async Task RoundAsync(CancellationToken cancellationToken)
    {
        var begunAt = time.GetUtcNow();
        // Who looks sees that a round is under way, and for how long none has come to its end.
        var about = await RowEstimate.OfAsync(options.Postgres, cancellationToken);
        var awaited = file.Read() ?? new(null);
        // A clock that was ahead says nothing.
        var since = awaited.AwaitedSince is { } first && first <= begunAt ? first : begunAt;
        file.Write(awaited with { RoundBegunAt = begunAt, AwaitedSince = since, RowsAbout = about });
        Func<RepairRequest, string>? ask = options.Audit.MayRepair ? request => requests.Add(request, time.GetUtcNow()) : null;
        var round = new AuditRound(options, arrival, openFiles, ask)
        {
            AskedBefore = asked.Published(), SetAsideBefore = asked.SetAside(),
        };
        underWay = round;
        await using (var steps = round.StepsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken))
        {
            for (var begun = time.GetTimestamp(); await steps.MoveNextAsync(); begun = time.GetTimestamp())
            {
                var pause = AuditPace.PauseAfter(time.GetElapsedTime(begun), options.Audit.Share, steps.Current);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
        underWay = null;
        var found = round.FindingsOf(begunAt, time.GetUtcNow());
        if (found.ComparedNothing)
        {
            NoneCompared();
            return;
        }
        asked = round.Asked;
        var before = file.Read() ?? new(null);
        // Where nothing is to be published again, nothing is held.
        var held = ask is null ? null : round.DeletesHeld;
        if (before.Behind(found, held) is not { } next)
        {
            file.Write(before.Overtaken(found));
            logger.AuditOvertaken(found.Rows, before.Last!.BegunAt);
            return;
        }
        file.Write(next);
        // Whoever accepted it while the round went on.
        found = found with { Lost = Math.Max(0, found.Lost - before.LostAccepted) };
        Say(found, before.Last, AuditCause.Of(found, round.IsGuarded, round.HasTombstones));
        // Once, and again when there are more.
        if (found.Lost > (before.Last?.Lost ?? 0)) logger.AuditLost(found.Lost);
        if (held is not null && found.Extra > (before.Last?.Extra ?? 0)) logger.AuditDeletesHeld(found.Extra, held.Why, held.Remedy);
    }

    private static PipelineException InDoubt => new(FailureAction.Retry,
        "Whether lake and table are equal cannot be told: a collation of the key is of another version than its indexes.",
        "REINDEX the table as check says; the next round tells.");

    // Of a small table, of which all rows change all the time, none is ever due: that is no failure, and says nothing of the lake.
    private void NoneCompared()
    {
        var isHeldBack = position()?.Horizon?.HeldBack is not null;
        var nothing = new PipelineException(FailureAction.Retry,
            "No row could be compared: all are on the way, and none is known to have been published.",
            "Where it comes again, see what PostgresToKafka says: rows that are held back, or a transaction that does not end.");
        if (isHeldBack) throw nothing;
        Wait(interval);
        // It has come to its end, and the next is awaited from when it begins.
        file.Write((file.Read() ?? new(null)) with
        {
            RoundBegunAt = null, AwaitedSince = time.GetUtcNow() + interval, FailedAt = null, Failure = nothing.Verdict.Problem,
        });
        if (announced != nothing.Verdict.Problem) logger.AuditBrokenOff(nothing.Verdict.Problem, nothing.Verdict.Remedy);
        announced = nothing.Verdict.Problem;
    }

    private void Say(AuditFindings found, AuditFindings? before, string cause)
    {
        var seconds = (found.EndedAt - found.BegunAt).TotalSeconds;
        if (found.CannotBeTold)
        {
            var inDoubt = InDoubt.Verdict;
            if (announced != inDoubt.Problem) logger.AuditBrokenOff(inDoubt.Problem, inDoubt.Remedy);
            announced = inDoubt.Problem;
            return;
        }
        announced = null;
        if (found.Differences == 0)
        {
            logger.AuditEqual(found.Compared, found.OnTheWay, seconds);
            return;
        }
        // Deletes that nobody wrote down are not captured: what was told of them is not told again as something new.
        var isNew = found.Differences > found.Extra || found.Extra > (before?.Extra ?? 0);
        logger.AuditDiffers(
            isNew ? LogLevel.Warning : LogLevel.Information, found.Rows, found.Missing, found.Stale, found.Extra, found.StoredTwice,
            seconds, cause, Mending(found));
    }

    private string Mending(AuditFindings found) =>
        (found.Requested, found.Unmended) switch
        {
            (0, 0) when found.Missing + found.Stale == 0 => "",
            (0, 0) => "; audit.repair is false: nothing is mended (see the verb repair)",
            (var requested, 0) => string.Create(
                CultureInfo.InvariantCulture, $"; {requested:N0} are published again, or as deleted"),
            var (requested, unmended) => string.Create(
                CultureInfo.InvariantCulture,
                $"; {requested:N0} are published again, or as deleted, {unmended:N0} were so before and differ as they did"),
        };
}

/// <summary>How much of the time the audit works.</summary>
internal static class AuditPace
{
    /// <summary>Waiting for a lock, or for a server, is no work: a step that lasted for long is not paid for by half a day.</summary>
    public static readonly TimeSpan PauseMax = TimeSpan.FromMinutes(30);

    /// <summary>
    /// The pause after a step. What both servers and this process worked for it is not known, and is no more than it lasted, since
    /// nothing of it is done at the same time.
    /// </summary>
    /// <param name="worked">How long the step lasted.</param>
    /// <param name="percent">Share of one core.</param>
    /// <param name="least">What the step asks for.</param>
    public static TimeSpan PauseAfter(TimeSpan worked, int percent, TimeSpan least)
    {
        var pause = worked * (100.0 / percent - 1);
        if (pause > PauseMax) pause = PauseMax;
        return pause > least ? pause : least;
    }
}

/// <summary>What is known of why lake and table differ.</summary>
internal static class AuditCause
{
    /// <param name="found">What a round found.</param>
    /// <param name="isGuarded">A trigger sets the ordering column for every writer.</param>
    /// <param name="hasTombstones">Triggers write down what is deleted.</param>
    /// <returns>To be put behind the counts; empty: nothing is known.</returns>
    public static string Of(AuditFindings found, bool isGuarded, bool hasTombstones)
    {
        var causes = new List<string>();
        if (found.Missing + found.Stale > 0)
            causes.Add(
                found.Lost > 0 ? "missing and stale: files of the lake are gone, as its commit log tells"
                : isGuarded ? "missing and stale: files of the lake may be gone, or rows were written past the trigger"
                : "missing and stale: no trigger sets the ordering column for every writer, so rows may be dated back");
        if (found.Extra > 0)
            causes.Add(
                hasTombstones ? "extra: files of the lake that held deletes may be gone, or rows were deleted past the triggers"
                : "extra: deleted in the table, and no trigger wrote it down");
        if (found.Misplaced > 0)
            causes.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{found.Misplaced:N0} versions are in files that lie in another folder than their rows belong in: 'verify' names them"));
        if (found.StoredTwice > 0) causes.Add("stored twice: a file of the lake was copied, or put back");
        return causes.Count == 0 ? "" : $" ({string.Join("; ", causes)})";
    }
}
