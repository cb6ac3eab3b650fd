using System.Runtime.InteropServices;
using FuncScaler.Policies;

namespace FuncScaler.ContestSimulator.Virtual;

/// <summary>
/// The layers of slots that were given back, on a platform that degrades them: a language layer serves a create of any function of its runtime and
/// memory, a bare one of any function of its memory. The last one that was left is used first.
/// </summary>
/// <param name="rules">How long layers are kept, and what they take and save.</param>
/// <param name="bill">Told, for each layer that ends, the function that left it and its memory time, MB times µs.</param>
internal sealed class LayerStore(ILayerRules rules, Action<int, Int128> bill)
{
    // Per memory size and runtime; those left last at the end.
    private readonly Dictionary<(int MemoryMb, string Runtime), List<Layer>> _layers = [];

    public void Arrived(long nowUs, FunctionMeta function) => rules.Arrived(nowUs, function);

    /// <summary>A slot was given back.</summary>
    /// <param name="nowUs">When.</param>
    /// <param name="function">Its function.</param>
    /// <param name="index">The function's index.</param>
    /// <param name="initialised">Whether it had been initialised; else it is bare at once.</param>
    /// <param name="createUs">What its create takes, µs.</param>
    /// <param name="initUs">What its init takes, µs.</param>
    public void Leave(long nowUs, FunctionMeta function, int index, bool initialised, long createUs, long initUs)
    {
        var (languageUs, bareUs) = rules.KeepLayers(nowUs, function, createUs, initUs);
        var languageUntilUs = initialised ? nowUs + languageUs : nowUs;
        Of(function.MemoryMb, function.Runtime).Add(new Layer(index, nowUs, languageUntilUs, languageUntilUs + bareUs));
    }

    /// <summary>Takes a layer for a new slot, if there is one.</summary>
    /// <returns>The share of the init that is left to do; null where there is no layer, and a create is needed.</returns>
    public double? Take(long nowUs, FunctionMeta function)
    {
        if (TakeFrom(Of(function.MemoryMb, function.Runtime), nowUs, function.MemoryMb, languageOnly: true))
        {
            return rules.LanguageInitShare;
        }

        foreach (var ((memoryMb, _), layers) in _layers)
        {
            if (memoryMb == function.MemoryMb && TakeFrom(layers, nowUs, memoryMb, languageOnly: false))
            {
                return 1;
            }
        }

        return null;
    }

    /// <summary>Counts what is left up to the end of the run.</summary>
    public void Close(long endUs)
    {
        foreach (var ((memoryMb, _), layers) in _layers)
        {
            layers.ForEach(l => Bill(l, endUs, memoryMb));
            layers.Clear();
        }
    }

    /// <param name="layers">Layers of one runtime and memory, the last left at the end.</param>
    /// <param name="nowUs">The time.</param>
    /// <param name="memoryMb">Their slots' memory.</param>
    /// <param name="languageOnly">Whether it must be a language layer still; else it must be bare by now.</param>
    private bool TakeFrom(List<Layer> layers, long nowUs, int memoryMb, bool languageOnly)
    {
        for (var i = layers.Count - 1; i >= 0; i--)
        {
            var layer = layers[i];
            if (layer.BareUntilUs <= nowUs)
            {
                Bill(layer, nowUs, memoryMb);
                layers.RemoveAt(i);
            }
            else if (layer.LanguageUntilUs > nowUs == languageOnly)
            {
                Bill(layer, nowUs, memoryMb);
                layers.RemoveAt(i);
                return true;
            }
        }

        return false;
    }

    private void Bill(in Layer layer, long untilUs, int memoryMb)
    {
        var languageUs = Math.Min(untilUs, layer.LanguageUntilUs) - layer.SinceUs;
        var bareUs = Math.Max(0, Math.Min(untilUs, layer.BareUntilUs) - layer.LanguageUntilUs);
        bill(layer.Function, (Int128)(memoryMb * ((languageUs * rules.LanguageMemoryShare) + (bareUs * rules.BareMemoryShare))));
    }

    private List<Layer> Of(int memoryMb, string runtime) => CollectionsMarshal.GetValueRefOrAddDefault(_layers, (memoryMb, runtime), out _) ??= [];

    private readonly record struct Layer(int Function, long SinceUs, long LanguageUntilUs, long BareUntilUs);
}
