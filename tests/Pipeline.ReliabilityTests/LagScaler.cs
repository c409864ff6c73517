using System.Globalization;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using OrdersStream.Configuration;
using OrdersStream.TestKit;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.ReliabilityTests;

/// <summary>By what storers are started and stopped. Times are counted in looks.</summary>
/// <param name="InstancesMin">So many always run.</param>
/// <param name="InstancesMax">And so many at the most.</param>
/// <param name="LagThreshold">Records that one instance may leave waiting.</param>
/// <param name="DoublingLooks">Between two times that their number is doubled.</param>
/// <param name="StabilizationLooks">As many as any of the last looks asked for are kept.</param>
/// <param name="RemovalLooks">Between two times that one is taken away.</param>
/// <param name="Grace">From SIGTERM to SIGKILL.</param>
internal sealed partial record ScalerNumbers(
    int InstancesMin, int InstancesMax, double LagThreshold, int DoublingLooks, int StabilizationLooks, int RemovalLooks, TimeSpan Grace)
{
    /// <param name="smaller">By how much a backlog is smaller than that of the manifests.</param>
    public static ScalerNumbers OfManifests(double smaller)
    {
        var scaled = File.ReadAllText(Repository.PathOf("deploy/kubernetes/overlays/keda/scaledobject.yaml"));
        var store = File.ReadAllText(Repository.PathOf("deploy/kubernetes/base/store.yaml"));
        var (up, down) = (scaled.IndexOf("scaleUp:", StringComparison.Ordinal), scaled.IndexOf("scaleDown:", StringComparison.Ordinal));
        var look = Number(scaled, "pollingInterval");
        return new(
            Number(scaled, "minReplicaCount"), Number(scaled, "maxReplicaCount"), Number(scaled, "lagThreshold") / smaller,
            Looks(Number(scaled[up..], "periodSeconds")), Looks(Number(scaled[down..], "stabilizationWindowSeconds")),
            Looks(Number(scaled[down..], "periodSeconds")), TimeSpan.FromSeconds(Number(store, "terminationGracePeriodSeconds")));

        int Looks(int seconds) => (seconds + look - 1) / look;
    }

    private static int Number(string yaml, string key) => int.Parse(
        Value().Matches(yaml).First(m => m.Groups[1].Value == key).Groups[2].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"(\w+): ""?(\d+)")]
    private static partial Regex Value();
}

/// <summary>
/// Plays KEDA and the cluster: at each look it reads the lag of the consumer group, as the Kafka scaler does, and starts or stops processes
/// that store. One that is gone is replaced.
/// </summary>
internal sealed class LagScaler(PipelineOptions options, ScalerNumbers numbers) : IAsyncDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    private readonly List<RunningProgram> running = [];
    private readonly List<RunningProgram> gone = [];
    private readonly Queue<int> asked = [];
    private readonly IConsumer<Ignore, Ignore> group = new ConsumerBuilder<Ignore, Ignore>(
        new ConsumerConfig { BootstrapServers = options.Kafka.Brokers, GroupId = options.Kafka.EffectiveGroupId }).Build();

    private int looks, doubledAt = int.MinValue / 2, removedAt = int.MinValue / 2;

    public int Running => running.Count;

    /// <summary>Killed, and not replaced yet.</summary>
    public int Missing { get; private set; }

    public int Replaced { get; private set; }

    /// <summary>Members of the group that partitions were given to; a killed one is still among them for its session's time-out.</summary>
    public int Sharing { get; private set; }

    /// <summary>Records that wait, as the group says.</summary>
    public long Lag { get; private set; }

    /// <summary>The group has heard of something that is stored.</summary>
    public bool HasStored { get; private set; }

    /// <summary>At the end of any look.</summary>
    public int Fewest { get; private set; } = int.MaxValue;

    public async Task LookAsync()
    {
        looks++;
        Lag = ReadLag();
        Sharing = await ReadSharingAsync();
        var wanted = Math.Clamp((int)Math.Ceiling(Lag / numbers.LagThreshold), numbers.InstancesMin, numbers.InstancesMax);
        asked.Enqueue(wanted);
        if (asked.Count > numbers.StabilizationLooks) asked.Dequeue();
        Replace();
        if (wanted > running.Count && looks - doubledAt >= numbers.DoublingLooks)
        {
            var most = Math.Max(running.Count * 2, numbers.InstancesMin);
            while (running.Count < Math.Min(wanted, most)) Start();
            doubledAt = looks;
        }
        else if (running.Count > asked.Max() && looks - removedAt >= numbers.RemovalLooks)
        {
            await StopAsync(running[^1]);
            removedAt = looks;
        }
        Fewest = Math.Min(Fewest, running.Count);
    }

    /// <summary>Whatever it is at.</summary>
    public async Task KillOneAsync()
    {
        Missing++;
        await running[0].KillAsync();
    }

    /// <summary>How they end when they are told to was seen by then; here it would hide what a test fails by.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var program in running.Where(p => !p.HasExited)) await program.KillAsync();
        gone.AddRange(running);
        group.Dispose();
        foreach (var program in gone) program.Dispose();
    }

    private void Start() => running.Add(LocalHostProcess.Start(options, ["run", "--only", "kafka-to-lake"]));

    private void Replace()
    {
        foreach (var program in running.Where(p => p.HasExited).ToList())
        {
            Assert.True(Missing > 0, "a storer ended that nobody had told to");
            Missing--;
            Replaced++;
            running.Remove(program);
            gone.Add(program);
            Start();
        }
    }

    private async Task StopAsync(RunningProgram program)
    {
        running.Remove(program);
        gone.Add(program);
        await program.SignalAsync("TERM");
        var end = await program.EndAsync(numbers.Grace);
        Assert.True(end.ExitCode == 0, $"it ended with {end.ExitCode}: {end.Output}");
    }

    private async Task<int> ReadSharingAsync()
    {
        using var admin = new DependentAdminClientBuilder(group.Handle).Build();
        var described = await admin.DescribeConsumerGroupsAsync(
            [options.Kafka.EffectiveGroupId], new DescribeConsumerGroupsOptions { RequestTimeout = AnswerTimeout });
        return described.ConsumerGroupDescriptions.Single().Members.Count(m => m.Assignment.TopicPartitions.Count > 0);
    }

    /// <summary>Of a partition that the group has no offset of, all that is there.</summary>
    private long ReadLag()
    {
        var partitions = Enumerable.Range(0, options.Kafka.Partitions).Select(p => new TopicPartition(options.Kafka.Topic, p)).ToList();
        var committed = group.Committed(partitions, AnswerTimeout);
        HasStored |= committed.Any(c => c.Offset.Value > 0);
        return committed.Sum(c =>
        {
            var ends = group.QueryWatermarkOffsets(c.TopicPartition, AnswerTimeout);
            return ends.High.Value - (c.Offset.Value >= 0 ? c.Offset.Value : ends.Low.Value);
        });
    }
}
