namespace OrdersStream.Demo;

/// <summary>What the demonstration was asked to play.</summary>
/// <param name="Seconds">How long orders are played.</param>
/// <param name="Rate">New orders a second.</param>
/// <param name="Directory">Where lake and state are kept; null: datalake/demo, which git ignores.</param>
/// <param name="HasPage">Serve the status page.</param>
public sealed record DemoOptions(int Seconds, int Rate, string? Directory, bool HasPage);
