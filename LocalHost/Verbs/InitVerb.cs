using OrdersStream.Configuration;
using OrdersStream.Doctor;
using OrdersStream.LocalHost.Terminal;

namespace OrdersStream.LocalHost.Verbs;

/// <summary>What <c>init</c> was asked to write.</summary>
/// <param name="Servers">Where the servers are, and the table's name.</param>
/// <param name="Role">The role that the pipeline is to log in as; null: the one that asks.</param>
/// <param name="Sql">What the table lacks, instead of a configuration.</param>
public sealed record InitOptions(PipelineOptions Servers, string? Role, bool Sql);

/// <summary>Asks Postgres about a table, and prints what its stream needs.</summary>
public static class InitVerb
{
    /// <returns>0; whatever fails is thrown.</returns>
    public static async Task<int> ExecuteAsync(InitOptions options, CancellationToken cancellationToken)
    {
        var proposal = await NewStream.ProposeAsync(options.Servers, options.Role, cancellationToken);
        await Console.Out.WriteAsync(options.Sql ? proposal.Sql : proposal.Yaml);
        // Where what is printed does not go.
        foreach (var note in proposal.Notes) await Console.Error.WriteLineAsync($"note: {note}");
        if (!options.Sql && proposal.Variables is { IsEmpty: false } variables)
            await Console.Error.WriteLineAsync(
                $"note: the configuration takes secrets from the environment: set {string.Join(" and ", variables)} for whoever reads it");
        return ExitCode.Ok;
    }
}
