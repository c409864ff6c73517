namespace OrdersStream.Diagnostics;

/// <summary>What the pipeline does about a failure.</summary>
public enum FailureAction
{
    /// <summary>Try again with back-off: the cause passes by itself.</summary>
    Retry,
    /// <summary>Stop the half: a human is needed. The default.</summary>
    Stop,
    /// <summary>Put the record into quarantine and go on.</summary>
    Quarantine,
}

/// <summary>
/// A failure that the pipeline itself found. The message says what failed and the value seen, the remedy what to do;
/// neither ever holds a row's value or a secret (invariant 9).
/// </summary>
public sealed class PipelineException(FailureAction action, string message, string remedy, Exception? inner = null)
    : Exception($"{message} {remedy}", inner)
{
    public FailureAction Action { get; } = action;
    public string Problem { get; } = message;
    public string Remedy { get; } = remedy;

    /// <summary>What all failures of this kind share: <see cref="Problem"/> may hold a figure or a server's words, which differ at each attempt.</summary>
    public string Kind { get => field ?? Problem; init; }
}
