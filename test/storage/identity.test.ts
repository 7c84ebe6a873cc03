import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { SimulatedFiles } from '../sim/files.ts';
import { Power } from '../sim/power.ts';
import { birth, Machine, memberId } from './machine.ts';

test('an empty directory is nobody', async () => {
  expect(await loadIdentity(new SimulatedFiles())).toBeNull();
});

test('an identity is minted once and born once', async () => {
  const files = new SimulatedFiles();
  const minted = await mintIdentity(files, 'a', memberId);
  expect(minted).toEqual({ memberId, name: 'a', birth: null, walBegun: false });
  expect(await loadIdentity(files)).toEqual(minted);
  await expect(mintIdentity(files, 'b', memberId)).rejects.toThrow('is member');
  const born = await saveBirth(files, birth);
  expect(born).toEqual({ ...minted, birth });
  expect(await loadIdentity(files)).toEqual(born);
  await expect(saveBirth(files, birth)).rejects.toThrow('was born already');
});

test('a power cut while it is saved leaves the old identity or the new one', async () => {
  for (let at = 1; ; at++) {
    let isPast = false;
    for (let seed = 1; seed <= 8; seed++) {
      const files = new SimulatedFiles();
      const minted = await mintIdentity(files, 'a', memberId);
      const power = new Power(at);
      const second = files.cut('drop', createPrng(seed), { power });
      const isSaved = await saveBirth(second, birth).then(
        () => true,
        () => false,
      );
      const found = await loadIdentity(second.cut('random', createPrng(seed)));
      if (isSaved) expect(found?.birth).toEqual(birth);
      else expect([minted, { ...minted, birth }]).toContainEqual(found);
      isPast = isSaved;
    }
    if (isPast) break;
  }
});

test('a damaged identity is refused', async () => {
  const files = new SimulatedFiles();
  await mintIdentity(files, 'a', memberId);
  const content = files.content('identity');
  for (let at = 0; at < (content?.size ?? 0); at++) {
    content?.corrupt(at, (byte) => byte ^ 0x40);
    await expect(loadIdentity(files)).rejects.toMatchObject({ code: 'dataDamaged' });
    content?.corrupt(at, (byte) => byte ^ 0x40);
  }
  content?.truncate(2);
  await expect(loadIdentity(files)).rejects.toMatchObject({ code: 'dataDamaged' });
});

test('a member that was born but never began its log may begin it', async () => {
  const machine = new Machine(new Power());
  await mintIdentity(machine.files, 'a', memberId);
  await saveBirth(machine.files, birth);
  const storage = await machine.open();
  expect(storage.entries).toEqual([]);
  expect((await loadIdentity(machine.files))?.walBegun).toBe(true);
});
