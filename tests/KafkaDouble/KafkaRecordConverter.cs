using Microsoft.Azure.Functions.Worker.Converters;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;

namespace Microsoft.Azure.Functions.Worker.Extensions.Kafka;

/// <summary>
/// Says which types the trigger binds to, and that the host hands them over as they are. It converts nothing: no host calls it.
/// </summary>
[SupportsDeferredBinding]
[SupportedTargetType(typeof(KafkaRecord))]
[SupportedTargetType(typeof(KafkaRecord[]))]
internal sealed class KafkaRecordConverter : IInputConverter
{
    public ValueTask<ConversionResult> ConvertAsync(ConverterContext context) => new(ConversionResult.Unhandled());
}
