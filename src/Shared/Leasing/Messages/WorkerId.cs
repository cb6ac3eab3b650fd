using System.Text.Json.Serialization;

namespace FuncScaler.Leasing.Messages;

/// <summary>
/// One life of one worker process: a worker that starts again has another id, so that nothing said by its former self, however late it
/// arrives, is taken for its own. At most 60 characters.
/// </summary>
[JsonConverter(typeof(WorkerIdConverter))]
public readonly record struct WorkerId(string Value)
{
    public override string ToString() => Value;
}

internal sealed class WorkerIdConverter() : TextIdConverter<WorkerId>(t => new WorkerId(t), id => id.Value);
