namespace OrdersStream.Demo.Servers;

/// <summary>The private Postgres cannot be had or started; with what to do about it.</summary>
public sealed class LocalPostgresException(string problem, string remedy, Exception? inner = null) : Exception($"{problem} {remedy}", inner)
{
    public string Problem { get; } = problem;
    public string Remedy { get; } = remedy;
}
