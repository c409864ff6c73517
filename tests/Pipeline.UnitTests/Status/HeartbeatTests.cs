using System.Diagnostics;
using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Durable;
using OrdersStream.Hosting;
using OrdersStream.Status;

namespace OrdersStream.UnitTests.Status;

public sealed class HeartbeatTests : IAsyncDisposable
{
    private const string Half = "KafkaToLake";

    private readonly TempFolder folder = new();
    private readonly TestLog log = new();
    private readonly PipelineStream stream;

    public HeartbeatTests() => stream = new PipelineStream(
        Options("orders"),
        new ProcessContext(TimeProvider.System, CrashPoints.None, _ => log, new ProcessStatus("LocalHost", default, [])));

    public async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public void a_half_is_seen_from_its_beginning_to_its_end()
    {
        Assert.Empty(Read());
        using (stream.Begin(Half))
        {
            var beat = Assert.Single(Read());
            Assert.Equal(
                (Half, "LocalHost", ProcessMark.Own, HalfActivity.Running),
                (beat.Half, beat.Program, beat.Process, beat.Report.Activity));
            Assert.True(beat.IsAlive(TimeProvider.System.GetUtcNow()));
        }
        Assert.Equal(HalfActivity.Ended, Assert.Single(Read()).Report.Activity);
    }

    [Fact]
    public void each_half_beats_in_its_own_state_folder()
    {
        using var capture = stream.Begin("PostgresToKafka");
        Assert.Empty(Read());
        Assert.Single(Directory.GetFiles(folder["lastprocess", "heartbeats"]));
    }

    [Fact]
    public void what_becomes_of_it_is_seen_at_once()
    {
        using var half = stream.Begin(Half);
        var outage = stream.NewOutage(half);
        outage.Failed(new IOException("no space", 28));
        var tries = Assert.Single(Read()).Report;
        Assert.Equal(HalfActivity.Retrying, tries.Activity);
        Assert.Equal(
            "The disk is full. Make room on the file system of datalake.path and the streaming folders.", tries.Cause);

        outage.Succeeded();
        Assert.Equal((HalfActivity.Running, null), (Only().Activity, Only().Cause));
        outage.Succeeded(standsBy: true);
        Assert.Equal(HalfActivity.StandingBy, Only().Activity);

        HalfReport Only() => Assert.Single(Read()).Report;
    }

    [Fact]
    public async Task why_it_stopped_is_there_when_it_is_gone()
    {
        using (var half = stream.Begin(Half))
        {
            await Assert.ThrowsAsync<HalfStoppedException>(() => stream.NewRetries(half).AfterFailureAsync(
                new PipelineException(FailureAction.Stop, "It is broken.", "Mend it."), TestContext.Current.CancellationToken));
        }
        using (var half = stream.Begin("PostgresToKafka"))
        {
            var retries = stream.NewRetries(half, giveUpAfter: TimeSpan.Zero);
            Assert.Throws<HalfStoppedException>(() => retries.Note(new TimeoutException()));
        }
        Assert.Equal((HalfActivity.Stopped, "It is broken. Mend it."), (Only(Half).Activity, Only(Half).Cause));
        Assert.Equal(HalfActivity.Stopped, Only("PostgresToKafka").Activity);

        HalfReport Only(string half) => Assert.Single(new HeartbeatFolder(stream.Options, half).Read()).Report;
    }

    [Fact]
    public void who_begins_removes_what_the_dead_left_and_nothing_else()
    {
        using var alive = stream.Begin(Half);
        var dead = Assert.Single(Read()) with { Id = "dead", Process = ProcessMark.Own with { Started = "before" } };
        var another = new HeartbeatFolder(Options("payments"), Half);
        another.Write(dead with { Id = "payments" });
        new HeartbeatFolder(stream.Options, Half).Write(dead);
        Assert.Equal(2, Read().Count);

        using var next = stream.Begin(Half);

        Assert.Equal(2, Read().Count);
        Assert.DoesNotContain(Read(), b => b.Id == "dead");
        Assert.Equal("payments", Assert.Single(another.Read()).Id);
    }

    [Fact]
    public void a_torn_file_tells_nothing()
    {
        using var half = stream.Begin(Half);
        var file = Assert.Single(Directory.GetFiles(folder["checkpoint", "heartbeats"]));
        var text = File.ReadAllText(file);
        File.WriteAllText(file, text.Replace("Running", "Stopped", StringComparison.Ordinal));
        Assert.Empty(Read());
        File.WriteAllText(file, text);
        Assert.Single(Read());
    }

    /// <summary>So that it can be told of a disk without room, too.</summary>
    [Fact]
    public void a_beat_takes_no_more_room_than_the_first()
    {
        using var half = stream.Begin(Half);
        var file = Assert.Single(Directory.GetFiles(folder["checkpoint", "heartbeats"]));
        var bytes = new FileInfo(file).Length;
        stream.NewOutage(half).Failed(
            new PipelineException(FailureAction.Retry, new string('\u0001', 5_000), new string('\u20ac', 5_000)));
        Assert.Equal(HalfActivity.Retrying, Assert.Single(Read()).Report.Activity);
        Assert.Equal(bytes, new FileInfo(file).Length);
    }

    /// <summary>A volume that is away leaves an empty folder, or none: what is written there is hidden once it is back.</summary>
    [Fact]
    public void where_the_state_folder_went_away_nothing_is_written_in_its_place()
    {
        using var half = stream.Begin(Half);
        Directory.Delete(folder["checkpoint"], recursive: true);
        stream.NewOutage(half).Failed(new TimeoutException());
        Assert.False(Directory.Exists(folder["checkpoint"]));
        Directory.CreateDirectory(folder["checkpoint"]);
        stream.NewOutage(half).Succeeded();
        Assert.Single(Read());
    }

    [Fact]
    public void a_process_is_told_from_one_that_has_its_number()
    {
        Assert.True(ProcessMark.Own.IsThere);
        Assert.False((ProcessMark.Own with { Started = "before" }).IsThere);
        Assert.Null((ProcessMark.Own with { Machine = "another" }).IsThere);
        using var child = Process.Start(new ProcessStartInfo("dotnet", "--version") { RedirectStandardOutput = true })!;
        child.WaitForExit();
        Assert.False((ProcessMark.Own with { Pid = child.Id }).IsThere);
    }

    private IReadOnlyList<Heartbeat> Read() => new HeartbeatFolder(stream.Options, Half).Read();

    private PipelineOptions Options(string topic) => new()
    {
        Postgres = new() { Host = "127.0.0.1", Port = 1, Db = "food", User = "u", Table = topic },
        Kafka = new() { Brokers = "127.0.0.1:1", Topic = topic },
        Datalake = new() { Path = folder["lake"] },
        Streaming = new() { CheckpointLocation = folder["checkpoint"], LastProcessedTimestampLocation = folder["lastprocess"] },
    };
}
