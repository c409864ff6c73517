using OrdersStream.Configuration;
using OrdersStream.Kafka;
using OrdersStream.Lake.Files;

namespace OrdersStream.Doctor;

/// <summary>
/// Looks at everything that a stream needs, before it goes live and after: servers, table, topic, folders. It changes nothing, and disturbs
/// nobody who runs the stream: it takes no lock, joins no group, and begins no transaction of the publisher's name.
/// </summary>
/// <param name="options">The stream's configuration.</param>
/// <param name="admin">Asks the brokers.</param>
/// <param name="topic">Tells the topic's ends.</param>
/// <param name="openFiles">What lies at a location of the configuration.</param>
/// <param name="time">The clock.</param>
internal sealed class StreamCheck(
    PipelineOptions options, TopicAdmin admin, TopicReader topic, Func<string, ILakeFiles> openFiles, TimeProvider time)
{
    /// <param name="hostFile">The function app's host.json; null: it is not looked at.</param>
    /// <param name="cancellationToken">Ends the looking.</param>
    public async Task<CheckReport> RunAsync(string? hostFile, CancellationToken cancellationToken)
    {
        var findings = new FindingList();
        var source = await new SourceCheck(options, openFiles, time, findings).RunAsync(cancellationToken);
        var cluster = await new TopicCheck(options, admin, findings).RunAsync(cancellationToken);
        await new FolderCheck(options, topic, openFiles, findings).RunAsync(source, cluster, cancellationToken);
        if (hostFile is not null) new HostFileCheck(findings).Run(hostFile);
        return new CheckReport(time.GetUtcNow(), options.StreamName, findings.All);
    }
}
