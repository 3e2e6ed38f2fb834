from mnist import portable

portable.set_environment()
