using System.Text.Json;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;

namespace OrdersStream.Status;

/// <summary>
/// What a half leaves of itself every few seconds, so that another process can tell whether anybody does its work. An observation, and no
/// promise: nothing goes on from it.
/// </summary>
/// <param name="Id">Tells it from any other.</param>
/// <param name="Half">PostgresToKafka or KafkaToLake.</param>
/// <param name="Program">LocalHost or FunctionApp.</param>
/// <param name="Process">Whose it is.</param>
/// <param name="StartedAt">When the half began.</param>
/// <param name="At">When the heart beat last.</param>
/// <param name="Interval">How often it beats.</param>
/// <param name="Report">What the half does.</param>
/// <param name="CapturedUpTo">
/// What was committed before is in the topic, by the database's clock, as capture found it last; null: it did not, or the half is another.
/// </param>
/// <param name="TookSeconds">
/// How long what it did last took to get to where it is now: rows from their commit to the topic, records from there to a file; null:
/// nothing was done yet, or it is not known.
/// </param>
internal sealed record Heartbeat(
    string Id, string Half, string Program, ProcessMark Process, DateTimeOffset StartedAt, DateTimeOffset At, TimeSpan Interval,
    HalfReport Report, DateTime? CapturedUpTo = null, double? TookSeconds = null)
{
    private const int FormatVersion = 1;

    /// <summary>A beat may be late by so much: a busy disk, a busy machine, the clocks of two.</summary>
    private static readonly TimeSpan LateMin = TimeSpan.FromSeconds(10);

    private const int LateIntervals = 3;

    /// <summary>Texts of servers may be of any length, and a beat has a place of its size.</summary>
    private const int CauseLengthMax = 400;

    /// <summary>It has not beaten for longer than anything but its end explains.</summary>
    public bool IsLate(DateTimeOffset now)
    {
        var limit = Interval * LateIntervals > LateMin ? Interval * LateIntervals : LateMin;
        // One of the future would go on for as long as the clocks differ.
        return (now - At).Duration() > limit;
    }

    /// <summary>The half is at work: or in trouble, and not given up.</summary>
    public bool IsAlive(DateTimeOffset now) =>
        Report.Activity != HalfActivity.Ended && Process.IsThere is not false && !IsLate(now);

    public byte[] Seal(string stream) => StateEnvelope.Seal(FormatVersion, stream, json =>
    {
        json.WriteString("id", Id);
        json.WriteString("half", Half);
        json.WriteString("program", Program);
        json.WriteString("machine", Process.Machine);
        json.WriteString("processSpace", Process.Space);
        json.WriteNumber("pid", Process.Pid);
        json.WriteString("processStarted", Process.Started);
        json.WriteString("startedAt", StartedAt);
        json.WriteString("at", At);
        json.WriteNumber("intervalSeconds", Interval.TotalSeconds);
        json.WriteString("activity", Report.Activity.ToString());
        json.WriteString("since", Report.Since);
        if (Report.Cause is { } cause) json.WriteString("cause", cause.Length > CauseLengthMax ? cause[..CauseLengthMax] + "..." : cause);
        if (CapturedUpTo is { } upTo) json.WriteString("capturedUpTo", upTo);
        if (TookSeconds is { } took) json.WriteNumber("tookSeconds", took);
    });

    /// <exception cref="FormatException">Torn, of a later version, or another stream's.</exception>
    public static Heartbeat Open(ReadOnlySpan<byte> file, string stream)
    {
        using var document = StateEnvelope.Open(file, FormatVersion, stream, isSealed: true);
        var root = document.RootElement;
        try
        {
            return new Heartbeat(
                Text("id"), Text("half"), Text("program"),
                new ProcessMark(Text("machine"), Text("processSpace"), root.GetProperty("pid").GetInt32(), Text("processStarted")),
                root.GetProperty("startedAt").GetDateTimeOffset(), root.GetProperty("at").GetDateTimeOffset(),
                TimeSpan.FromSeconds(root.GetProperty("intervalSeconds").GetDouble()),
                new HalfReport(
                    Enum.Parse<HalfActivity>(Text("activity")), root.GetProperty("since").GetDateTimeOffset(),
                    root.TryGetProperty("cause", out var cause) ? cause.GetString() : null),
                root.TryGetProperty("capturedUpTo", out var upTo) ? upTo.GetDateTime() : null,
                root.TryGetProperty("tookSeconds", out var took) ? took.GetDouble() : null);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or OverflowException)
        {
            throw new FormatException("it is not a whole heartbeat", e);
        }

        string Text(string name) => root.GetProperty(name).GetString()!;
    }
}
