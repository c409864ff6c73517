namespace OrdersStream.Benchmarks;

/// <summary>A measurement that says nothing: a child failed, or its result is wrong.</summary>
internal sealed class BenchmarkException(string message) : Exception(message);
