using OrdersStream.Benchmarks.Measuring;
using OrdersStream.TestKit.Programs;

namespace OrdersStream.Benchmarks.Running;

/// <summary>LocalHost as a user would install it: published, in Release.</summary>
internal sealed class PublishedHost
{
    private readonly string program;

    private PublishedHost(string program) => this.program = program;

    public static async Task<PublishedHost> PublishAsync(Progress progress, CancellationToken cancellationToken)
    {
        progress.Say("publishing LocalHost, where it is not as the sources are");
        try
        {
            return new(await NativeBuild.ProgramAsync(cancellationToken));
        }
        catch (InvalidOperationException e)
        {
            throw new BenchmarkException(e.Message);
        }
    }

    /// <summary>For whoever needs it after this.</summary>
    public static async Task<int> PublishOnlyAsync(CancellationToken cancellationToken)
    {
        Console.WriteLine((await PublishAsync(new Progress(), cancellationToken)).program);
        return 0;
    }

    /// <summary>Starts a verb that needs no configuration.</summary>
    public Child Start(params string[] arguments) => Child.Start(program, arguments);

    /// <summary>Starts a verb on a stream. Not against the in-process broker, which this process alone can reach.</summary>
    public Child Start(BenchmarkStream stream, string verb, params string[] arguments) => Child.Start(
        program, [verb, "--config", stream.ConfigurationFile, .. arguments], ("Postgres__Password", stream.Options.Postgres.Password));

    /// <summary>Starts <c>run</c>.</summary>
    public Child Run(BenchmarkStream stream, params string[] arguments)
    {
        var password = ("Postgres__Password", stream.Options.Postgres.Password);
        return stream.Options.Kafka.BrokerTellsTopicIds
            ? Child.Start(program, ["run", "--config", stream.ConfigurationFile, .. arguments], password)
            : Child.StartSelf([UnpublishedHost.Verb, "--config", stream.ConfigurationFile, .. arguments], password);
    }
}
