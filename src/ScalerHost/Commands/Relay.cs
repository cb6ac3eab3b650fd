namespace FuncScaler.ScalerHost.Commands;

/// <summary>Unlike <see cref="Progress{T}"/> it reports in order and at once.</summary>
internal sealed class Relay<T>(Action<T> show) : IProgress<T>
{
    public void Report(T value) => show(value);
}
