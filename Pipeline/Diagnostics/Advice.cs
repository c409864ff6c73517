namespace OrdersStream.Diagnostics;

/// <summary>What an operator should know that stops nothing; no row's value in it (invariant 9).</summary>
/// <param name="Subject">What it is about, in one or two words.</param>
/// <param name="Problem">What is so, and what follows: a sentence without its full stop.</param>
/// <param name="Remedy">What to do about it, as it goes on behind a semicolon: a command, where one does it.</param>
public sealed record Advice(string Subject, string Problem, string Remedy)
{
    public override string ToString() => $"{Problem}; {Remedy}";
}
